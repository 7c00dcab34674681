// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Pools, locks per payee, cumulative vouchers.
interface IPaymentPool {
    /// @notice Closed is final.
    enum ChannelStatus {
        None,
        Open,
        Closed
    }

    /// @notice A lock; two storage slots. Split and unlock delay are fixed when the lock is made.
    /// @param locked What the payee may claim in total, claimed part included.
    /// @param claimed What the payee has claimed.
    /// @param modelOwner Who gets the owner's share.
    /// @param ownerBps The owner's share.
    /// @param protocolBps The protocol's share.
    /// @param unlockAt When the payer may take back what is not claimed; zero while no unlock is requested.
    /// @param status See ChannelStatus.
    /// @param unlockDelayMinutes How long after a request `unlockAt` lies.
    struct Channel {
        uint128 locked;
        uint128 claimed;
        address modelOwner;
        uint16 ownerBps;
        uint16 protocolBps;
        uint40 unlockAt;
        ChannelStatus status;
        uint16 unlockDelayMinutes;
    }

    /// @notice The payee's half of a channel's name; the payer is the caller.
    struct Target {
        address payee;
        bytes32 modelId;
        bytes32 salt;
    }

    /// @notice One voucher to redeem; the payee is the caller.
    /// @param payer Who signed the voucher.
    /// @param modelId The channel's model.
    /// @param salt The channel's salt.
    /// @param amount The new cumulative claim.
    /// @param maxClaimableAmount What the voucher says; amount must not exceed it.
    /// @param signature The payer's signature over Voucher(channelId, maxClaimableAmount).
    struct Claim {
        address payer;
        bytes32 modelId;
        bytes32 salt;
        uint128 amount;
        uint128 maxClaimableAmount;
        bytes signature;
    }

    /// @notice How a payment is divided. Equal splits share one accumulator.
    struct Split {
        address payee;
        address modelOwner;
        uint16 ownerBps;
        uint16 protocolBps;
    }

    /// @notice Why redeemMany left a claim out.
    enum SkipReason {
        None,
        NotOpen,
        NotIncreasing,
        ExceedsVoucher,
        ExceedsLock,
        BadSignature
    }

    /// @notice Tokens came in.
    event Deposited(address indexed payer, address indexed from, uint256 amount);
    /// @notice Free tokens went out.
    event Withdrawn(address indexed payer, address indexed to, uint256 amount);
    /// @notice A channel opened.
    event Locked(
        bytes32 indexed channelId, address indexed payer, address indexed payee, bytes32 modelId, bytes32 salt, uint128 amount
    );
    /// @notice A lock grew.
    event ToppedUp(bytes32 indexed channelId, uint128 locked);
    /// @notice A voucher was redeemed; `claimed` is cumulative. `receiptsRoot` is the payee's root over the receipts of this
    /// and earlier redemptions, zero for none.
    event Redeemed(bytes32 indexed channelId, address indexed payee, bytes32 indexed receiptsRoot, uint128 claimed);
    /// @notice A claim of a batch was left out.
    event ClaimSkipped(bytes32 indexed channelId, SkipReason reason);
    /// @notice The payer asked for the lock back.
    event UnlockRequested(bytes32 indexed channelId, uint40 unlockAt);
    /// @notice The payer changed its mind.
    event UnlockCancelled(bytes32 indexed channelId);
    /// @notice A channel closed; `freed` went back to the payer's free part, `locked` stays claimable.
    event ChannelClosed(bytes32 indexed channelId, uint128 locked, uint128 freed);
    /// @notice An accumulator was divided.
    event RevenueDistributed(
        address indexed payee, address indexed modelOwner, uint256 payeeAmount, uint256 ownerAmount, uint256 protocolAmount
    );
    /// @notice Revenue went out.
    event RevenueWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice The free part is smaller than that.
    error InsufficientFreeBalance(uint256 free, uint256 wanted);
    /// @notice That channel exists already, or is closed: choose another salt.
    error ChannelExists(bytes32 channelId);
    /// @notice There is no such open channel.
    error ChannelNotOpen(bytes32 channelId);
    /// @notice The token moved less than was to be deposited.
    error DepositIncomplete(uint256 wanted, uint256 received);
    /// @notice Too little gas to let a payer's contract judge a signature.
    error GasTooLow();
    /// @notice Zero, or more than 128 bits.
    error InvalidAmount(uint256 amount);
    /// @notice The zero address cannot be paid.
    error InvalidPayee();
    /// @notice The model is unknown or retired.
    error ModelUnavailable(bytes32 modelId);
    /// @notice A claim must be above what is claimed already.
    error VoucherNotIncreasing(uint128 claimed, uint128 amount);
    /// @notice A claim must not be above what the voucher says.
    error ClaimExceedsVoucher(uint128 maxClaimableAmount, uint128 amount);
    /// @notice A claim must not be above the lock.
    error VoucherExceedsLock(uint128 locked, uint128 amount);
    /// @notice The payer did not sign that.
    error InvalidVoucherSignature(bytes32 channelId);
    /// @notice The payee did not sign that.
    error InvalidReleaseSignature(bytes32 channelId);
    /// @notice No unlock was requested, or its delay has not passed.
    error UnlockNotDue(uint40 unlockAt);
    /// @notice An unlock is already requested.
    error UnlockPending(uint40 unlockAt);
    /// @notice No claim of the batch could be redeemed.
    error NothingRedeemed();
    /// @notice There is nothing to withdraw.
    error NoRevenue();
    /// @notice Registries returned shares above one.
    error UnsoundSplit();
}
