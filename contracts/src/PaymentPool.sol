// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAIConfig} from "./interfaces/IAIConfig.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {RevenueStreams} from "./RevenueStreams.sol";

/// @title The pool that pays for inference.
/// @notice A payer deposits once, locks parts of it per payee, and signs cumulative vouchers off chain. The payee redeems
/// the highest voucher of each channel. Immutable: no owner, no upgrade, no pause. The token must be a plain ERC-20
/// (no rebasing; a deposit that brings in less than it says is refused).
/// @dev Vouchers are x402 batch settlement's type under its domain name, so clients of that scheme can sign them.
contract PaymentPool is RevenueStreams, EIP712, Multicall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice EIP-712 type of a voucher.
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    /// @notice EIP-712 type of a payee's consent to close a channel, keeping `finalAmount` claimable.
    bytes32 public constant RELEASE_TYPEHASH = keccak256("Release(bytes32 channelId,uint128 finalAmount)");
    /// @notice What a payer that is a contract may spend on judging one voucher: more would let it hold up a batch.
    uint256 public constant CONTRACT_SIGNATURE_GAS = 400_000;

    /// @notice What is paid in.
    IERC20 public immutable token;
    /// @notice The parameters of the network.
    IAIConfig public immutable config;
    /// @notice Where splits come from.
    IModelRegistry public immutable models;

    /// @notice A payer's part that is not locked.
    mapping(address payer => uint256 amount) public freeBalanceOf;
    mapping(bytes32 channelId => Channel) private _channels;

    constructor(IERC20 token_, IAIConfig config_, IModelRegistry models_) EIP712("x402 Batch Settlement", "1") {
        token = token_;
        config = config_;
        models = models_;
    }

    // ---------------------------------------------------------------------------------------------- free part

    /// @notice Adds to the caller's free part.
    function deposit(uint256 amount) external nonReentrant {
        _deposit(msg.sender, amount);
    }

    /// @notice Adds the caller's tokens to somebody's free part.
    function depositFor(address payer, uint256 amount) external nonReentrant {
        _deposit(payer, amount);
    }

    /// @notice Like deposit, with the allowance given by an ERC-2612 signature in the same transaction.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external nonReentrant {
        // A permit that somebody else submitted first is spent but its allowance stands: the transfer decides.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(msg.sender, amount);
    }

    /// @notice Deposits what `payer` signed away by ERC-3009 to this pool; the caller pays the gas.
    function depositWithAuthorization(
        address payer,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        uint256 held = token.balanceOf(address(this));
        IERC3009(address(token)).receiveWithAuthorization(payer, address(this), amount, validAfter, validBefore, nonce, v, r, s);
        _credit(payer, payer, amount, held);
    }

    /// @notice Takes free tokens out.
    function withdraw(uint256 amount, address to) external nonReentrant {
        _debit(msg.sender, amount);
        emit Withdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    // ------------------------------------------------------------------------------------------------- locks

    /// @notice The name of a channel: chain, pool, both parties, model and salt.
    function channelIdOf(address payer, address payee, bytes32 modelId, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), payer, payee, modelId, salt));
    }

    /// @notice The channel, all zero if there is none.
    function channel(bytes32 channelId) external view returns (Channel memory) {
        return _channels[channelId];
    }

    /// @notice Locks part of the caller's free balance for a payee, and fixes how payments will be divided.
    function lock(address payee, bytes32 modelId, uint128 amount, bytes32 salt) external nonReentrant returns (bytes32) {
        _debit(msg.sender, amount);
        return _lock(Target(payee, modelId, salt), amount);
    }

    /// @notice Adds to a lock from the caller's free balance.
    function topUp(address payee, bytes32 modelId, bytes32 salt, uint128 amount) external nonReentrant {
        bytes32 channelId = channelIdOf(msg.sender, payee, modelId, salt);
        Channel storage c = _open(channelId);
        _debit(msg.sender, amount);
        c.locked += amount;
        emit ToppedUp(channelId, c.locked);
    }

    /// @notice Starts the delay after which the caller gets back what the payee has not claimed by then.
    function requestUnlock(address payee, bytes32 modelId, bytes32 salt) external {
        bytes32 channelId = channelIdOf(msg.sender, payee, modelId, salt);
        Channel storage c = _open(channelId);
        require(c.unlockAt == 0, UnlockPending(c.unlockAt));
        c.unlockAt = uint40(block.timestamp + uint256(c.unlockDelayMinutes) * 1 minutes);
        emit UnlockRequested(channelId, c.unlockAt);
    }

    /// @notice Takes an unlock request back, so that a payee can rely on the lock again.
    function cancelUnlock(address payee, bytes32 modelId, bytes32 salt) external {
        bytes32 channelId = channelIdOf(msg.sender, payee, modelId, salt);
        Channel storage c = _open(channelId);
        require(c.unlockAt != 0, UnlockNotDue(0));
        c.unlockAt = 0;
        emit UnlockCancelled(channelId);
    }

    /// @notice Ends a channel after the delay; the unclaimed rest becomes free.
    function unlock(address payee, bytes32 modelId, bytes32 salt) external nonReentrant returns (uint128 freed) {
        freed = _closeAfterDelay(channelIdOf(msg.sender, payee, modelId, salt));
        freeBalanceOf[msg.sender] += freed;
    }

    /// @notice The payee ends a channel at once, keeping `finalAmount` (or what it has claimed, if more) claimable.
    function release(address payer, bytes32 modelId, bytes32 salt, uint128 finalAmount)
        external
        nonReentrant
        returns (uint128 freed)
    {
        bytes32 channelId = channelIdOf(payer, msg.sender, modelId, salt);
        freed = _close(_open(channelId), channelId, finalAmount);
        freeBalanceOf[payer] += freed;
    }

    /// @notice The payer ends a channel at once with the payee's signature over Release(channelId, finalAmount).
    function releaseWithConsent(address payee, bytes32 modelId, bytes32 salt, uint128 finalAmount, bytes calldata consent)
        external
        nonReentrant
        returns (uint128 freed)
    {
        freed = _closeWithConsent(Target(payee, modelId, salt), finalAmount, consent);
        freeBalanceOf[msg.sender] += freed;
    }

    /// @notice Moves what a channel does not need to another payee in one transaction: with the payee's consent, or,
    /// if `consent` is empty, after the unlock delay.
    function moveLock(Target calldata from, Target calldata to, uint128 finalAmount, bytes calldata consent)
        external
        nonReentrant
        returns (bytes32 channelId)
    {
        uint128 freed = consent.length == 0
            ? _closeAfterDelay(channelIdOf(msg.sender, from.payee, from.modelId, from.salt))
            : _closeWithConsent(from, finalAmount, consent);
        return _lock(to, freed);
    }

    // ---------------------------------------------------------------------------------------------- vouchers

    /// @notice The digest that a payer signs.
    function voucherDigest(bytes32 channelId, uint128 maxClaimableAmount) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, maxClaimableAmount)));
    }

    /// @notice The digest that a payee signs to let a channel go.
    function releaseDigest(bytes32 channelId, uint128 finalAmount) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(RELEASE_TYPEHASH, channelId, finalAmount)));
    }

    /// @notice Redeems one voucher; the caller is the payee. `receiptsRoot` is published with it, zero for none.
    /// @dev No reentrancy guard here and in redeemMany: the only outside call is a staticcall (ERC-1271), before any write.
    function redeem(Claim calldata claim, bytes32 receiptsRoot) external {
        bytes32 channelId = channelIdOf(claim.payer, msg.sender, claim.modelId, claim.salt);
        SkipReason reason = _redeem(claim, channelId, receiptsRoot);
        if (reason != SkipReason.None) _refuse(claim, channelId, reason);
    }

    /// @notice Redeems many vouchers of one payee, the caller. A claim that cannot be redeemed is skipped, so that no payer
    /// can hold up the others; the call reverts only if none could.
    function redeemMany(Claim[] calldata claims, bytes32 receiptsRoot) external returns (uint256 redeemed) {
        for (uint256 i; i < claims.length; ++i) {
            Claim calldata claim = claims[i];
            bytes32 channelId = channelIdOf(claim.payer, msg.sender, claim.modelId, claim.salt);
            SkipReason reason = _redeem(claim, channelId, receiptsRoot);
            if (reason == SkipReason.None) ++redeemed;
            else emit ClaimSkipped(channelId, reason);
        }
        require(redeemed > 0, NothingRedeemed());
    }

    // ----------------------------------------------------------------------------------------------- revenue

    /// @notice Divides the given accumulators and pays all of the caller's revenue to `to`.
    function withdrawRevenue(Split[] calldata splits, address to) external nonReentrant returns (uint256 amount) {
        for (uint256 i; i < splits.length; ++i) {
            distribute(splits[i]);
        }
        amount = revenueOf[msg.sender];
        require(amount > 0, NoRevenue());
        revenueOf[msg.sender] = 0;
        emit RevenueWithdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @notice Pays the protocol's revenue to the treasury. Anybody may.
    function withdrawProtocolRevenue() external nonReentrant returns (uint256 amount) {
        amount = protocolRevenue;
        require(amount > 0, NoRevenue());
        protocolRevenue = 0;
        address to = config.treasury();
        emit RevenueWithdrawn(address(this), to, amount);
        token.safeTransfer(to, amount);
    }

    // ---------------------------------------------------------------------------------------------- internal

    function _deposit(address payer, uint256 amount) private {
        uint256 held = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        _credit(payer, msg.sender, amount, held);
    }

    /// @dev Only what came in counts: a token may take a fee, and one without ERC-3009 may answer an unknown call without a
    /// transfer (the fallback of wrapped native currencies does). Every caller is guarded against reentrancy.
    function _credit(address payer, address from, uint256 amount, uint256 heldBefore) private {
        require(amount > 0, InvalidAmount(amount));
        uint256 held = token.balanceOf(address(this));
        require(held >= heldBefore + amount, DepositIncomplete(amount, held - heldBefore));
        freeBalanceOf[payer] += amount;
        emit Deposited(payer, from, amount);
    }

    function _debit(address payer, uint256 amount) private {
        uint256 free = freeBalanceOf[payer];
        require(amount > 0, InvalidAmount(amount));
        require(amount <= free, InsufficientFreeBalance(free, amount));
        unchecked {
            freeBalanceOf[payer] = free - amount;
        }
    }

    function _lock(Target memory to, uint128 amount) private returns (bytes32 channelId) {
        require(to.payee != address(0), InvalidPayee());
        require(amount > 0, InvalidAmount(amount));
        channelId = channelIdOf(msg.sender, to.payee, to.modelId, to.salt);
        Channel storage c = _channels[channelId];
        require(c.status == ChannelStatus.None, ChannelExists(channelId));
        (address modelOwner, uint16 ownerBps, bool active) = models.splitOf(to.modelId);
        require(active, ModelUnavailable(to.modelId));
        IAIConfig.Parameters memory p = config.parameters();
        uint16 protocolBps = p.protocolFeeBps;
        require(uint256(ownerBps) + protocolBps <= 10_000, UnsoundSplit());
        c.locked = amount;
        c.modelOwner = modelOwner;
        c.ownerBps = ownerBps;
        c.protocolBps = protocolBps;
        c.status = ChannelStatus.Open;
        // Rounded up; the longest delay, 30 days, is 43,200 minutes.
        c.unlockDelayMinutes = uint16((uint256(p.unlockDelaySeconds) + 59) / 1 minutes);
        emit Locked(channelId, msg.sender, to.payee, to.modelId, to.salt, amount);
    }

    function _open(bytes32 channelId) private view returns (Channel storage c) {
        c = _channels[channelId];
        require(c.status == ChannelStatus.Open, ChannelNotOpen(channelId));
    }

    function _closeAfterDelay(bytes32 channelId) private returns (uint128) {
        Channel storage c = _open(channelId);
        require(c.unlockAt != 0 && block.timestamp >= c.unlockAt, UnlockNotDue(c.unlockAt));
        return _close(c, channelId, 0);
    }

    function _closeWithConsent(Target memory from, uint128 finalAmount, bytes calldata consent) private returns (uint128) {
        bytes32 channelId = channelIdOf(msg.sender, from.payee, from.modelId, from.salt);
        Channel storage c = _open(channelId);
        require(
            SignatureChecker.isValidSignatureNowCalldata(from.payee, releaseDigest(channelId, finalAmount), consent),
            InvalidReleaseSignature(channelId)
        );
        return _close(c, channelId, finalAmount);
    }

    /// @dev The lock shrinks to max(claimed, min(locked, finalAmount)); the difference is the caller's to place.
    function _close(Channel storage c, bytes32 channelId, uint128 finalAmount) private returns (uint128 freed) {
        uint128 kept = finalAmount < c.claimed ? c.claimed : finalAmount;
        if (kept > c.locked) kept = c.locked;
        freed = c.locked - kept;
        c.locked = kept;
        c.status = ChannelStatus.Closed;
        emit ChannelClosed(channelId, kept, freed);
    }

    function _redeem(Claim calldata claim, bytes32 channelId, bytes32 receiptsRoot) private returns (SkipReason) {
        Channel storage c = _channels[channelId];
        (uint256 locked, uint256 claimed) = _amounts(c);
        uint256 amount = claim.amount;
        // A closed channel still pays what it kept.
        if (locked == 0) return SkipReason.NotOpen;
        if (amount <= claimed) return SkipReason.NotIncreasing;
        if (amount > claim.maxClaimableAmount) return SkipReason.ExceedsVoucher;
        if (amount > locked) return SkipReason.ExceedsLock;
        if (!_signedBy(claim.payer, voucherDigest(channelId, claim.maxClaimableAmount), claim.signature)) {
            return SkipReason.BadSignature;
        }
        _setAmounts(c, locked, amount);
        // The token's supply bounds the sum of all locks, hence this one.
        unchecked {
            undividedRevenue[_splitKeyOf(c, msg.sender)] += amount - claimed;
        }
        emit Redeemed(channelId, msg.sender, receiptsRoot, uint128(amount));
        return SkipReason.None;
    }

    // The compiler reads and writes a packed field at a time; redeeming does it once per slot. The layout is that of
    // Channel: locked in the low half of slot 0, claimed in the high half; in slot 1 the owner's address, 16 bits of
    // ownerBps, 16 bits of protocolBps. A fuzz test holds these against the struct.

    function _amounts(Channel storage c) private view returns (uint256 locked, uint256 claimed) {
        assembly ("memory-safe") {
            let packed := sload(c.slot)
            locked := and(packed, 0xffffffffffffffffffffffffffffffff)
            claimed := shr(128, packed)
        }
    }

    function _setAmounts(Channel storage c, uint256 locked, uint256 claimed) private {
        assembly ("memory-safe") {
            sstore(c.slot, or(locked, shl(128, claimed)))
        }
    }

    /// @dev splitHash of the channel's split.
    function _splitKeyOf(Channel storage c, address payee) private view returns (bytes32 key) {
        assembly ("memory-safe") {
            let packed := sload(add(c.slot, 1))
            let free := mload(0x40)
            mstore(free, payee)
            mstore(add(free, 0x20), and(packed, 0xffffffffffffffffffffffffffffffffffffffff))
            mstore(add(free, 0x40), and(shr(160, packed), 0xffff))
            mstore(add(free, 0x60), and(shr(176, packed), 0xffff))
            key := keccak256(free, 0x80)
        }
    }

    /// @dev Plain keys first: asking for the code of the payer's account costs more than recovering the key.
    function _signedBy(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length > 0 && _acceptedByContract(signer, digest, signature);
    }

    /// @dev ERC-1271 with a bounded bill. The caller must bring the whole allowance, so that a good signature never fails
    /// for a gas limit that was set too low: such a call reverts instead of skipping the claim.
    function _acceptedByContract(address signer, bytes32 digest, bytes calldata signature) private view returns (bool accepted) {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes32 yes = IERC1271.isValidSignature.selector;
        // EIP-150: of what is left, 63/64 can be passed on.
        require(gasleft() >= (CONTRACT_SIGNATURE_GAS * 64) / 63 + 1_000, GasTooLow());
        assembly ("memory-safe") {
            // Nothing but the first word of the answer is copied, however long it is.
            let answered := staticcall(CONTRACT_SIGNATURE_GAS, signer, add(question, 0x20), mload(question), 0x00, 0x20)
            accepted := and(answered, and(gt(returndatasize(), 0x1f), eq(mload(0x00), yes)))
        }
    }

    function _refuse(Claim calldata claim, bytes32 channelId, SkipReason reason) private view {
        Channel storage c = _channels[channelId];
        if (reason == SkipReason.NotIncreasing) revert VoucherNotIncreasing(c.claimed, claim.amount);
        if (reason == SkipReason.ExceedsVoucher) revert ClaimExceedsVoucher(claim.maxClaimableAmount, claim.amount);
        if (reason == SkipReason.ExceedsLock) revert VoucherExceedsLock(c.locked, claim.amount);
        if (reason == SkipReason.BadSignature) revert InvalidVoucherSignature(channelId);
        revert ChannelNotOpen(channelId);
    }
}
