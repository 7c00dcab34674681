// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may serve, with what at stake.
/// @notice A worker is its identity: the address of the key that signs prekeys, acceptances and receipts.
interface IWorkerRegistry {
    /// @notice Draining and jailed workers get no new work; a jailed one cannot leave either.
    enum WorkerStatus {
        None,
        Active,
        Draining,
        Jailed
    }

    /// @notice What the slot of a worker holds.
    /// @param operator The account that owns the stake.
    /// @param status See WorkerStatus.
    /// @param registeredAt Unix seconds.
    /// @param capacity How many requests it serves at once, by its own word.
    struct Worker {
        address operator;
        WorkerStatus status;
        uint40 registeredAt;
        uint32 capacity;
    }

    /// @notice What the slot of a (worker, model) holds: one slot, so that one storage proof shows it.
    /// @param staked What makes the worker eligible; slashable.
    /// @param thawing Asked back, not yet out; still slashable.
    /// @param thawedAt When the thawing part may leave; unix seconds.
    struct Stake {
        uint104 staked;
        uint104 thawing;
        uint40 thawedAt;
    }

    /// @notice What a worker says about itself.
    /// @param endpoint Where it is reached: one URL, or several separated by spaces.
    /// @param region A place of the specification's list, for example "eu-central".
    /// @param capacity How many requests it serves at once.
    struct Profile {
        string endpoint;
        string region;
        uint32 capacity;
    }

    /// @notice A worker appeared.
    event WorkerRegistered(address indexed worker, address indexed operator);
    /// @notice A worker described itself.
    event ProfileChanged(address indexed worker, string endpoint, string region, uint32 capacity);
    /// @notice A worker's status changed.
    event StatusChanged(address indexed worker, WorkerStatus status);
    /// @notice Stake was added.
    event Staked(address indexed worker, bytes32 indexed modelId, address indexed from, uint256 amount);
    /// @notice Stake began to thaw.
    event UnstakeRequested(address indexed worker, bytes32 indexed modelId, uint256 amount, uint40 thawedAt);
    /// @notice Thawed stake left.
    event StakeWithdrawn(address indexed worker, bytes32 indexed modelId, address indexed to, uint256 amount);
    /// @notice Stake was taken for an offence.
    event Slashed(
        address indexed worker, bytes32 indexed modelId, bytes32 indexed evidence, uint256 amount, address beneficiary, uint256 reward
    );
    /// @notice Another contract may slash now.
    event SlasherChanged(address indexed slasher);

    /// @notice An identity registers once.
    error AlreadyRegistered(address worker);
    /// @notice There is no such worker.
    error UnknownWorker(address worker);
    /// @notice The identity did not agree to be operated by the caller.
    error IdentityConsentMissing(address worker, address operator);
    /// @notice Only the operator (for some calls: or the identity itself) may do that.
    error NotOperator(address worker, address caller);
    /// @notice The status does not allow that.
    error WrongStatus(address worker, WorkerStatus status);
    /// @notice There is less stake than that.
    error InsufficientStake(uint256 available, uint256 wanted);
    /// @notice The stake thaws until then.
    error StillThawing(uint40 thawedAt);
    /// @notice Only the slasher may do that.
    error NotSlasher(address caller);
    /// @notice One offence may not cost that much.
    error SlashTooLarge(uint256 amount, uint256 limit);
    /// @notice The model takes no stake: unknown, retired, or its allow-list does not name the worker.
    error ModelNotOpen(bytes32 modelId, address worker);
    /// @notice Text beyond what a directory entry may hold, or an amount of zero.
    error InvalidProfile();

    /// @notice Whether `worker` may be given new work for `modelId` now.
    function isEligible(address worker, bytes32 modelId) external view returns (bool);
    /// @notice The worker's slot.
    function workerOf(address worker) external view returns (Worker memory);
    /// @notice The slot of the worker's stake for a model.
    function stakeOf(address worker, bytes32 modelId) external view returns (Stake memory);
    /// @notice Takes stake for an offence, thawing stake included. Slasher only.
    function slash(address worker, bytes32 modelId, uint256 amount, address beneficiary, bytes32 evidence)
        external
        returns (uint256 taken);
    /// @notice Stops a worker until it is reinstated. Slasher only.
    function jail(address worker) external;
    /// @notice Lets a jailed worker work again. Slasher only.
    function reinstate(address worker) external;
}
