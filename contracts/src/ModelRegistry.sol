// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAIConfig} from "./interfaces/IAIConfig.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";

/// @title The registry of models.
/// @notice A model's id is derived from its publisher, its commitments and a salt, so nobody can take an id first.
/// Storage is namespaced (ERC-7201), so the slots in docs/spec/storage.md survive changes of this code.
contract ModelRegistry is IModelRegistry {
    /// @custom:storage-location erc7201:tacit.storage.ModelRegistry
    struct ModelRegistryStorage {
        mapping(bytes32 modelId => Model) models;
        mapping(bytes32 modelId => mapping(address worker => bool)) allowed;
        bytes32[] ids;
    }

    /// @notice keccak256(abi.encode(uint256(keccak256("tacit.storage.ModelRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 public constant STORAGE_LOCATION =
        keccak256(abi.encode(uint256(keccak256("tacit.storage.ModelRegistry")) - 1)) & ~bytes32(uint256(0xff));
    /// @notice The first word of the preimage of a model id.
    bytes32 public constant MODEL_ID_TYPEHASH = keccak256("ModelId(address publisher,bytes32 commitmentsRoot,bytes32 salt)");

    /// @notice The parameters of the network.
    IAIConfig public immutable config;

    constructor(IAIConfig config_) {
        config = config_;
    }

    modifier onlyModelOwner(bytes32 modelId) {
        require(_state().models[modelId].owner == msg.sender, NotModelOwner(modelId, msg.sender));
        _;
    }

    /// @notice The id that `publisher` gets for these commitments.
    function deriveModelId(address publisher, bytes32 commitmentsRoot, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(MODEL_ID_TYPEHASH, publisher, commitmentsRoot, salt));
    }

    /// @notice Publishes a model, or a new version of one.
    function publish(Publication calldata publication) external returns (bytes32 modelId) {
        require(publication.commitmentsRoot != 0 && publication.manifestHash != 0, EmptyCommitment());
        _checkOwnerShare(publication.ownerBps);
        modelId = deriveModelId(msg.sender, publication.commitmentsRoot, publication.salt);
        ModelRegistryStorage storage $ = _state();
        require($.models[modelId].status == ModelStatus.None, ModelExists(modelId));
        uint32 version = 1;
        if (publication.previous != 0) {
            require($.models[publication.previous].owner == msg.sender, NotModelOwner(publication.previous, msg.sender));
            version = $.models[publication.previous].version + 1;
        }
        $.models[modelId] = Model({
            owner: msg.sender,
            status: ModelStatus.Active,
            engineClass: publication.engineClass,
            ownerBps: publication.ownerBps,
            allowListed: publication.allowListed,
            version: version,
            commitmentsRoot: publication.commitmentsRoot,
            manifestHash: publication.manifestHash,
            pricePerStep: publication.pricePerStep,
            minStake: publication.minStake
        });
        $.ids.push(modelId);
        emit ModelPublished(
            modelId,
            msg.sender,
            publication.previous,
            publication.commitmentsRoot,
            publication.manifestHash,
            version,
            publication.engineClass
        );
        emit ModelRepriced(modelId, publication.pricePerStep, publication.minStake, publication.ownerBps);
    }

    /// @notice Changes price, stake requirement and owner's share. Locks made before keep the share they were made under.
    function reprice(bytes32 modelId, uint128 pricePerStep, uint128 minStake, uint16 ownerBps)
        external
        onlyModelOwner(modelId)
    {
        Model storage m = _active(modelId);
        _checkOwnerShare(ownerBps);
        m.pricePerStep = pricePerStep;
        m.minStake = minStake;
        m.ownerBps = ownerBps;
        emit ModelRepriced(modelId, pricePerStep, minStake, ownerBps);
    }

    /// @notice Ends a model for new work, for good.
    function retire(bytes32 modelId) external onlyModelOwner(modelId) {
        _active(modelId).status = ModelStatus.Retired;
        emit ModelRetired(modelId);
    }

    /// @notice Gives a model, and its share of payments under future locks, to another account.
    function transferModel(bytes32 modelId, address to) external onlyModelOwner(modelId) {
        require(to != address(0), EmptyCommitment());
        _state().models[modelId].owner = to;
        emit ModelTransferred(modelId, msg.sender, to);
    }

    /// @notice Puts a worker on the allow-list of a model, or takes it off.
    function setAllowed(bytes32 modelId, address worker, bool allowed) external onlyModelOwner(modelId) {
        _state().allowed[modelId][worker] = allowed;
        emit WorkerAllowed(modelId, worker, allowed);
    }

    /// @inheritdoc IModelRegistry
    function model(bytes32 modelId) external view returns (Model memory) {
        return _state().models[modelId];
    }

    /// @inheritdoc IModelRegistry
    function splitOf(bytes32 modelId) external view returns (address owner, uint16 ownerBps, bool active) {
        Model storage m = _state().models[modelId];
        return (m.owner, m.ownerBps, m.status == ModelStatus.Active);
    }

    /// @inheritdoc IModelRegistry
    function admission(bytes32 modelId, address worker) external view returns (bool admitted, uint128 minStake) {
        ModelRegistryStorage storage $ = _state();
        Model storage m = $.models[modelId];
        admitted = m.status == ModelStatus.Active && (!m.allowListed || $.allowed[modelId][worker]);
        minStake = m.minStake;
    }

    /// @notice How many models were ever published.
    function modelCount() external view returns (uint256) {
        return _state().ids.length;
    }

    /// @notice Up to `limit` model ids, in the order of publication, from position `offset`.
    function modelIds(uint256 offset, uint256 limit) external view returns (bytes32[] memory page) {
        bytes32[] storage ids = _state().ids;
        uint256 left = offset < ids.length ? ids.length - offset : 0;
        page = new bytes32[](limit < left ? limit : left);
        for (uint256 i; i < page.length; ++i) {
            page[i] = ids[offset + i];
        }
    }

    function _active(bytes32 modelId) private view returns (Model storage m) {
        m = _state().models[modelId];
        require(m.status == ModelStatus.Active, ModelNotActive(modelId));
    }

    function _checkOwnerShare(uint16 ownerBps) private view {
        uint16 limit = config.parameters().maxOwnerBps;
        require(ownerBps <= limit, OwnerShareTooHigh(ownerBps, limit));
    }

    function _state() private pure returns (ModelRegistryStorage storage $) {
        bytes32 location = STORAGE_LOCATION;
        assembly {
            $.slot := location
        }
    }
}
