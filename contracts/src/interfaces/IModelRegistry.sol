// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Which models exist, who owns them, what they cost.
interface IModelRegistry {
    /// @notice Retired is final: no new lock, no new eligibility; what is already locked is still paid.
    enum ModelStatus {
        None,
        Active,
        Retired
    }

    /// @notice What the owner states when publishing.
    /// @param commitmentsRoot The one root over the model's weight commitments.
    /// @param manifestHash The digest of the manifest that describes the model.
    /// @param salt Distinguishes two models of one owner with equal commitments.
    /// @param pricePerStep The owner's list price of one step, in the token's smallest unit.
    /// @param minStake The least stake of a worker that serves it (the network's floor holds as well).
    /// @param engineClass Which kind of engine runs it; a number of the specification, opaque to the contract.
    /// @param ownerBps The owner's share of every payment.
    /// @param allowListed Whether only workers named by the owner may serve it.
    /// @param previous The model that this is a new version of, or zero.
    struct Publication {
        bytes32 commitmentsRoot;
        bytes32 manifestHash;
        bytes32 salt;
        uint128 pricePerStep;
        uint128 minStake;
        uint8 engineClass;
        uint16 ownerBps;
        bool allowListed;
        bytes32 previous;
    }

    /// @notice A published model; four storage slots.
    struct Model {
        address owner;
        ModelStatus status;
        uint8 engineClass;
        uint16 ownerBps;
        bool allowListed;
        uint32 version;
        bytes32 commitmentsRoot;
        bytes32 manifestHash;
        uint128 pricePerStep;
        uint128 minStake;
    }

    /// @notice A model appeared.
    event ModelPublished(
        bytes32 indexed modelId,
        address indexed owner,
        bytes32 indexed previous,
        bytes32 commitmentsRoot,
        bytes32 manifestHash,
        uint32 version,
        uint8 engineClass
    );
    /// @notice The price or the stake requirement changed.
    event ModelRepriced(bytes32 indexed modelId, uint128 pricePerStep, uint128 minStake, uint16 ownerBps);
    /// @notice A model will take no new work.
    event ModelRetired(bytes32 indexed modelId);
    /// @notice A model changed hands.
    event ModelTransferred(bytes32 indexed modelId, address indexed from, address indexed to);
    /// @notice A worker was put on a model's allow-list, or taken off it.
    event WorkerAllowed(bytes32 indexed modelId, address indexed worker, bool allowed);

    /// @notice That model is published already.
    error ModelExists(bytes32 modelId);
    /// @notice There is no such model, or it is retired.
    error ModelNotActive(bytes32 modelId);
    /// @notice Only the owner of the model may do that.
    error NotModelOwner(bytes32 modelId, address caller);
    /// @notice The owner's share is above what AIConfig allows.
    error OwnerShareTooHigh(uint16 ownerBps, uint16 maxOwnerBps);
    /// @notice Commitments root and manifest hash must not be zero, and neither may an owner.
    error EmptyCommitment();

    /// @notice The model, all zero if there is none.
    function model(bytes32 modelId) external view returns (Model memory);
    /// @notice Who shares in a payment for the model, and whether it takes new work.
    function splitOf(bytes32 modelId) external view returns (address owner, uint16 ownerBps, bool active);
    /// @notice Whether `worker` may serve the model as far as its owner is concerned, and the stake the owner asks for.
    function admission(bytes32 modelId, address worker) external view returns (bool admitted, uint128 minStake);
}
