// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IProofDisputes} from "./interfaces/IProofDisputes.sol";

/// @title Which program verifies which layer of which model.
/// @notice The digest of a layer's registration (its spec and weights) is shown to be part of the model's commitments root, so not even the
/// owner can name another. The program is the owner's word: everybody computes it from the spec and compares before relying on it.
abstract contract LayerPrograms {
    /// @notice The four commitments of a model card, zero for a form that does not exist.
    struct WeightCommitments {
        bytes32 artifact;
        bytes32 q8;
        bytes32 proof;
        bytes32 fhe;
    }

    /// @notice The models whose layers are proved.
    IModelRegistry public immutable models;
    // keccak256(abi.encode(registration digest, program root, steps)); once set, never changed.
    mapping(bytes32 modelId => mapping(uint32 layerIndex => bytes32)) private _programs;

    /// @notice A layer can be disputed now.
    event ProgramRegistered(
        bytes32 indexed modelId, uint32 indexed layerIndex, bytes32 registrationDigest, bytes32 programRoot, uint32 steps
    );

    /// @notice Only the owner of the model names programs.
    error NotOwnerOfModel(bytes32 modelId, address caller);
    /// @notice The description does not belong to the model's commitments root, or has no such layer.
    error WrongNetwork(bytes32 modelId);
    /// @notice Zero root, or more steps than a trace may have.
    error InvalidProgram();
    /// @notice A layer's program is registered once.
    error ProgramExists(bytes32 modelId, uint32 layerIndex);

    constructor(IModelRegistry models_) {
        models = models_;
    }

    /// @notice Names the program of each layer. A zero root leaves a layer out; it can be named later.
    /// @param modelId The model; the caller owns it.
    /// @param commitments The commitments of its card.
    /// @param network What `commitments.proof` is the hash of (docs/spec/proofs.md, section 3, network digest).
    /// @param programs One per layer of the network.
    function registerPrograms(
        bytes32 modelId,
        WeightCommitments calldata commitments,
        bytes calldata network,
        IProofDisputes.Program[] calldata programs
    ) external {
        IModelRegistry.Model memory m = models.model(modelId);
        require(m.owner == msg.sender, NotOwnerOfModel(modelId, msg.sender));
        bytes32 root = keccak256(
            abi.encodePacked("tacit/model-root/1", commitments.artifact, commitments.q8, commitments.proof, commitments.fhe)
        );
        require(root == m.commitmentsRoot && keccak256(network) == commitments.proof, WrongNetwork(modelId));
        // "tacit/proof-network/v1" | u32 2 | u32 inputs | u32 layers | per layer: digest, u32 count, count u32 | outputs
        require(programs.length == uint32(bytes4(network[30:34])), WrongNetwork(modelId));
        uint256 offset = 34;
        for (uint32 i; i < programs.length; ++i) {
            bytes32 registrationDigest = bytes32(network[offset:offset + 32]);
            offset += 36 + 4 * uint256(uint32(bytes4(network[offset + 32:offset + 36])));
            if (programs[i].root != 0) _register(modelId, i, registrationDigest, programs[i]);
        }
    }

    /// @notice Whether this program verifies the layer with this registration digest, as its owner says.
    function isProgramOf(bytes32 modelId, uint32 layerIndex, bytes32 registrationDigest, IProofDisputes.Program calldata program)
        public
        view
        returns (bool)
    {
        return _programs[modelId][layerIndex] == _hash(registrationDigest, program);
    }

    function _register(bytes32 modelId, uint32 layerIndex, bytes32 registrationDigest, IProofDisputes.Program calldata program)
        private
    {
        require(program.steps > 0 && program.steps < 2 ** 24, InvalidProgram());
        require(_programs[modelId][layerIndex] == 0, ProgramExists(modelId, layerIndex));
        _programs[modelId][layerIndex] = _hash(registrationDigest, program);
        emit ProgramRegistered(modelId, layerIndex, registrationDigest, program.root, program.steps);
    }

    function _hash(bytes32 registrationDigest, IProofDisputes.Program calldata program) private pure returns (bytes32) {
        return keccak256(abi.encode(registrationDigest, program.root, program.steps));
    }
}
