// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAIConfig} from "./interfaces/IAIConfig.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IWorkerRegistry} from "./interfaces/IWorkerRegistry.sol";

/// @title The registry of workers and of what they stake.
/// @notice Stake is held per (worker, model), leaves after a delay and stays slashable until it has left.
/// Storage is namespaced (ERC-7201): docs/spec/storage.md gives the slots, and verifiers prove them offline (EIP-1186).
contract WorkerRegistry is IWorkerRegistry, Ownable2Step, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @custom:storage-location erc7201:tacit.storage.WorkerRegistry
    struct WorkerRegistryStorage {
        mapping(address worker => Worker) workers;
        mapping(address worker => mapping(bytes32 modelId => Stake)) stakes;
        mapping(address worker => Profile) profiles;
        address[] identities;
        address slasher;
        mapping(bytes32 modelId => address[]) listed;
        // Where a worker stands in that list, counted from one; zero when it does not.
        mapping(bytes32 modelId => mapping(address worker => uint256)) positions;
    }

    /// @notice keccak256(abi.encode(uint256(keccak256("tacit.storage.WorkerRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 public constant STORAGE_LOCATION =
        keccak256(abi.encode(uint256(keccak256("tacit.storage.WorkerRegistry")) - 1)) & ~bytes32(uint256(0xff));
    /// @notice What an identity signs (EIP-712) to be run by an operator with another key.
    bytes32 public constant REGISTRATION_TYPEHASH = keccak256("Registration(address worker,address operator)");
    /// @notice The longest endpoint list, in bytes.
    uint256 public constant ENDPOINT_BYTES_MAX = 512;
    /// @notice The longest region name, in bytes.
    uint256 public constant REGION_BYTES_MAX = 32;

    /// @notice What is staked.
    IERC20 public immutable token;
    /// @notice The parameters of the network.
    IAIConfig public immutable config;
    /// @notice The models that stake is for.
    IModelRegistry public immutable models;

    constructor(address owner, IERC20 token_, IAIConfig config_, IModelRegistry models_)
        Ownable(owner)
        EIP712("Tacit WorkerRegistry", "1")
    {
        token = token_;
        config = config_;
        models = models_;
    }

    modifier onlySlasher() {
        require(msg.sender == _state().slasher, NotSlasher(msg.sender));
        _;
    }

    /// @notice Registers `worker`, operated by the caller. The identity itself needs no consent; for another key the
    /// identity signs Registration(worker, operator).
    function register(address worker, Profile calldata profile, bytes calldata consent) external {
        WorkerRegistryStorage storage $ = _state();
        require($.workers[worker].status == WorkerStatus.None, AlreadyRegistered(worker));
        if (worker != msg.sender) {
            bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REGISTRATION_TYPEHASH, worker, msg.sender)));
            require(
                worker != address(0) && SignatureChecker.isValidSignatureNowCalldata(worker, digest, consent),
                IdentityConsentMissing(worker, msg.sender)
            );
        }
        $.workers[worker] = Worker({
            operator: msg.sender,
            status: WorkerStatus.Active,
            registeredAt: uint40(block.timestamp),
            capacity: profile.capacity
        });
        $.identities.push(worker);
        emit WorkerRegistered(worker, msg.sender);
        emit StatusChanged(worker, WorkerStatus.Active);
        _setProfile(worker, profile);
    }

    /// @notice Changes endpoint, region and capacity. Operator or identity.
    function setProfile(address worker, Profile calldata profile) external {
        Worker storage w = _controlled(worker);
        w.capacity = profile.capacity;
        _setProfile(worker, profile);
    }

    /// @notice Takes no new work from now on, for instance before an upgrade or a withdrawal. Operator or identity.
    function drain(address worker) external {
        _move(_controlled(worker), worker, WorkerStatus.Active, WorkerStatus.Draining);
    }

    /// @notice Takes work again after a drain. Operator or identity.
    function resume(address worker) external {
        _move(_controlled(worker), worker, WorkerStatus.Draining, WorkerStatus.Active);
    }

    /// @notice Adds stake for a model, from the caller's tokens; only the operator ever gets it back.
    function stake(address worker, bytes32 modelId, uint256 amount) public nonReentrant {
        WorkerRegistryStorage storage $ = _state();
        WorkerStatus status = $.workers[worker].status;
        require(status != WorkerStatus.None, UnknownWorker(worker));
        require(status != WorkerStatus.Jailed, WrongStatus(worker, status));
        (bool admitted,) = models.admission(modelId, worker);
        require(admitted, ModelNotOpen(modelId, worker));
        require(amount > 0 && amount <= type(uint96).max, InsufficientStake(type(uint96).max, amount));
        $.stakes[worker][modelId].staked += uint104(amount);
        relist(worker, modelId);
        emit Staked(worker, modelId, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Like stake, with the allowance given by an ERC-2612 signature in the same transaction.
    function stakeWithPermit(
        address worker,
        bytes32 modelId,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // A permit that somebody else submitted first is spent but its allowance stands: stake() decides.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        stake(worker, modelId, amount);
    }

    /// @notice Asks for stake back. All thawing stake of this (worker, model) leaves together after the full delay.
    function requestUnstake(address worker, bytes32 modelId, uint256 amount) external {
        _operated(worker);
        Stake storage s = _state().stakes[worker][modelId];
        require(amount > 0 && amount <= s.staked, InsufficientStake(s.staked, amount));
        uint40 thawedAt = uint40(block.timestamp + config.parameters().stakeThawSeconds);
        s.staked -= uint104(amount);
        s.thawing += uint104(amount);
        if (thawedAt > s.thawedAt) s.thawedAt = thawedAt;
        relist(worker, modelId);
        emit UnstakeRequested(worker, modelId, amount, s.thawedAt);
    }

    /// @notice Pays thawed stake out to `to`. Operator only; not while jailed.
    function withdrawStake(address worker, bytes32 modelId, address to) external nonReentrant returns (uint256 amount) {
        Worker storage w = _operated(worker);
        require(w.status != WorkerStatus.Jailed, WrongStatus(worker, w.status));
        Stake storage s = _state().stakes[worker][modelId];
        amount = s.thawing;
        require(amount > 0, InsufficientStake(0, 1));
        require(block.timestamp >= s.thawedAt, StillThawing(s.thawedAt));
        s.thawing = 0;
        s.thawedAt = 0;
        emit StakeWithdrawn(worker, modelId, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @notice Puts a worker on the list of a model's stakers, or takes it off. Happens by itself with every stake, request and
    /// slash; after the network's floor changed, anybody may ask for it.
    function relist(address worker, bytes32 modelId) public {
        WorkerRegistryStorage storage $ = _state();
        bool belongs = $.stakes[worker][modelId].staked >= config.parameters().minStakeFloor;
        uint256 position = $.positions[modelId][worker];
        if (belongs == (position > 0)) return;
        address[] storage list = $.listed[modelId];
        if (belongs) {
            list.push(worker);
            $.positions[modelId][worker] = list.length;
            return;
        }
        address last = list[list.length - 1];
        list[position - 1] = last;
        $.positions[modelId][last] = position;
        delete $.positions[modelId][worker];
        list.pop();
    }

    /// @notice Names the contract that may slash; the zero address for none. Owner only.
    function setSlasher(address slasher_) external onlyOwner {
        _state().slasher = slasher_;
        emit SlasherChanged(slasher_);
    }

    /// @inheritdoc IWorkerRegistry
    function slash(address worker, bytes32 modelId, uint256 amount, address beneficiary, bytes32 evidence)
        external
        onlySlasher
        nonReentrant
        returns (uint256 taken)
    {
        IAIConfig.Parameters memory p = config.parameters();
        Stake storage s = _state().stakes[worker][modelId];
        uint256 total = uint256(s.staked) + s.thawing;
        uint256 limit = (total * p.maxSlashBps) / 10_000;
        require(amount > 0 && amount <= limit, SlashTooLarge(amount, limit));
        uint256 fromStaked = amount < s.staked ? amount : s.staked;
        s.staked -= uint104(fromStaked);
        s.thawing -= uint104(amount - fromStaked);
        relist(worker, modelId);
        uint256 reward = beneficiary == address(0) ? 0 : (amount * p.slashRewardBps) / 10_000;
        emit Slashed(worker, modelId, evidence, amount, beneficiary, reward);
        if (reward > 0) token.safeTransfer(beneficiary, reward);
        token.safeTransfer(config.treasury(), amount - reward);
        return amount;
    }

    /// @inheritdoc IWorkerRegistry
    function jail(address worker) external onlySlasher {
        Worker storage w = _state().workers[worker];
        require(w.status == WorkerStatus.Active || w.status == WorkerStatus.Draining, WrongStatus(worker, w.status));
        w.status = WorkerStatus.Jailed;
        emit StatusChanged(worker, WorkerStatus.Jailed);
    }

    /// @inheritdoc IWorkerRegistry
    function reinstate(address worker) external onlySlasher {
        _move(_state().workers[worker], worker, WorkerStatus.Jailed, WorkerStatus.Active);
    }

    /// @inheritdoc IWorkerRegistry
    function isEligible(address worker, bytes32 modelId) external view returns (bool) {
        WorkerRegistryStorage storage $ = _state();
        if ($.workers[worker].status != WorkerStatus.Active) return false;
        (bool admitted, uint128 minStake) = models.admission(modelId, worker);
        uint256 staked = $.stakes[worker][modelId].staked;
        return admitted && staked >= minStake && staked >= config.parameters().minStakeFloor;
    }

    /// @inheritdoc IWorkerRegistry
    function workerOf(address worker) external view returns (Worker memory) {
        return _state().workers[worker];
    }

    /// @inheritdoc IWorkerRegistry
    function stakeOf(address worker, bytes32 modelId) external view returns (Stake memory) {
        return _state().stakes[worker][modelId];
    }

    /// @notice What the worker says about itself.
    function profileOf(address worker) external view returns (Profile memory) {
        return _state().profiles[worker];
    }

    /// @notice Who may slash.
    function slasher() external view returns (address) {
        return _state().slasher;
    }

    /// @notice How many identities ever registered.
    function workerCount() external view returns (uint256) {
        return _state().identities.length;
    }

    /// @notice Up to `limit` identities, in the order of registration, from position `offset`.
    function workers(uint256 offset, uint256 limit) external view returns (address[] memory) {
        return _page(_state().identities, offset, limit);
    }

    /// @notice How many workers stake at least the network's floor for a model.
    function stakerCount(bytes32 modelId) external view returns (uint256) {
        return _state().listed[modelId].length;
    }

    /// @notice Up to `limit` workers that stake at least the network's floor for a model, in no order that lasts. Registering is
    /// free, so a directory reads this list: nobody can fill it without stake that lies there meanwhile.
    function stakersOf(bytes32 modelId, uint256 offset, uint256 limit) external view returns (address[] memory) {
        return _page(_state().listed[modelId], offset, limit);
    }

    function _page(address[] storage all, uint256 offset, uint256 limit) private view returns (address[] memory page) {
        uint256 left = offset < all.length ? all.length - offset : 0;
        page = new address[](limit < left ? limit : left);
        for (uint256 i; i < page.length; ++i) {
            page[i] = all[offset + i];
        }
    }

    function _setProfile(address worker, Profile calldata profile) private {
        require(
            bytes(profile.endpoint).length <= ENDPOINT_BYTES_MAX && bytes(profile.region).length <= REGION_BYTES_MAX,
            InvalidProfile()
        );
        _state().profiles[worker] = profile;
        emit ProfileChanged(worker, profile.endpoint, profile.region, profile.capacity);
    }

    function _controlled(address worker) private view returns (Worker storage w) {
        w = _state().workers[worker];
        require(w.status != WorkerStatus.None, UnknownWorker(worker));
        require(msg.sender == w.operator || msg.sender == worker, NotOperator(worker, msg.sender));
    }

    function _operated(address worker) private view returns (Worker storage w) {
        w = _state().workers[worker];
        require(w.status != WorkerStatus.None, UnknownWorker(worker));
        require(msg.sender == w.operator, NotOperator(worker, msg.sender));
    }

    function _move(Worker storage w, address worker, WorkerStatus from, WorkerStatus to) private {
        require(w.status == from, WrongStatus(worker, w.status));
        w.status = to;
        emit StatusChanged(worker, to);
    }

    function _state() private pure returns (WorkerRegistryStorage storage $) {
        bytes32 location = STORAGE_LOCATION;
        assembly {
            $.slot := location
        }
    }
}
