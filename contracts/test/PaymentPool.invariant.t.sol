// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentPool} from "../src/interfaces/IPaymentPool.sol";
import {Network} from "./Network.sol";
import {vm} from "./Vm.sol";

/// @notice Does random but possible things to the pool as payers, payees and bystanders, and remembers what must hold.
contract PoolHandler is Network {
    struct Known {
        uint256 payer;
        uint256 payee;
        bytes32 modelId;
        bytes32 salt;
        bytes32 id;
        uint128 lastClaimed;
        bool everClosed;
    }

    uint256 internal constant ACTORS = 4;
    Known[] public known;
    IPaymentPool.Split[] internal splits;
    mapping(bytes32 => bool) internal splitSeen;
    uint256 public totalClaimed;
    uint256 public totalPaidOut;
    uint256 public successes;
    string public violation;

    constructor() {
        _deployNetwork();
        for (uint256 i; i < ACTORS; ++i) {
            token.transfer(payerOf(i), 1e24);
            vm.prank(payerOf(i));
            token.approve(address(pool), type(uint256).max);
            vm.prank(payerOf(i));
            pool.deposit(1e22);
        }
    }

    function payerKey(uint256 i) public pure returns (uint256) {
        return 0xA11CE + (i % ACTORS);
    }

    function payeeKey(uint256 i) public pure returns (uint256) {
        return 0xB0B + (i % ACTORS);
    }

    function payerOf(uint256 i) public pure returns (address) {
        return vm.addr(payerKey(i));
    }

    function payeeOf(uint256 i) public pure returns (address) {
        return vm.addr(payeeKey(i));
    }

    function deposit(uint256 who, uint256 forWhom, uint96 amount) external {
        amount = uint96(uint256(amount) % 1e21 + 1);
        vm.prank(payerOf(who));
        pool.depositFor(payerOf(forWhom), amount);
        ++successes;
    }

    function withdraw(uint256 who, uint128 amount) external {
        uint256 free = pool.freeBalanceOf(payerOf(who));
        if (free == 0) return;
        vm.prank(payerOf(who));
        pool.withdraw(uint256(amount) % free + 1, payerOf(who));
        ++successes;
    }

    function lock(uint256 payer, uint256 payee, bool second, uint128 amount, bytes32 salt) external {
        uint256 free = pool.freeBalanceOf(payerOf(payer));
        if (free == 0) return;
        bytes32 modelId = modelIds[second ? 1 : 0];
        vm.prank(payerOf(payer));
        bytes32 id = pool.lock(payeeOf(payee), modelId, uint128(uint256(amount) % free + 1), salt);
        _remember(payer, payee, modelId, salt, id);
        ++successes;
    }

    function topUp(uint256 index, uint128 amount) external {
        (Known storage k, bool found) = _pickOpen(index);
        if (!found) return;
        uint256 free = pool.freeBalanceOf(payerOf(k.payer));
        if (free == 0) return;
        vm.prank(payerOf(k.payer));
        pool.topUp(payeeOf(k.payee), k.modelId, k.salt, uint128(uint256(amount) % free + 1));
        if (k.everClosed) violation = "a closed channel grew";
        ++successes;
    }

    /// @dev About half of the vouchers are above the lock or not rising: those must fail.
    function redeem(uint256 index, uint128 amount, uint128 ceiling) external {
        (Known storage k, bool found) = _pick(index);
        if (!found) return;
        IPaymentPool.Channel memory c = pool.channel(k.id);
        if (c.locked == 0) return;
        amount = uint128(uint256(amount) % (uint256(c.locked) + c.locked / 4 + 2));
        ceiling = uint128(uint256(amount) + uint256(ceiling) % 3) - (ceiling % 16 == 0 && amount > 0 ? 1 : 0);
        bool allowed = amount > c.claimed && amount <= c.locked && amount <= ceiling;
        IPaymentPool.Claim memory claim = _claim(k, amount, ceiling);
        vm.prank(payeeOf(k.payee));
        try pool.redeem(claim, 0) {
            if (!allowed) violation = "a voucher beyond its bounds was redeemed";
            _claimed(k, c.claimed, amount);
        } catch {
            if (allowed) violation = "a good voucher was refused";
        }
    }

    function redeemMany(uint256 index, uint128 a, uint128 b) external {
        (Known storage k, bool found) = _pick(index);
        if (!found) return;
        IPaymentPool.Channel memory c = pool.channel(k.id);
        if (c.locked == 0) return;
        IPaymentPool.Claim[] memory claims = new IPaymentPool.Claim[](2);
        claims[0] = _claim(k, uint128(a % (uint256(c.locked) + 1)), type(uint128).max);
        claims[1] = _claim(k, uint128(b % (uint256(c.locked) + 1)), type(uint128).max);
        vm.prank(payeeOf(k.payee));
        try pool.redeemMany(claims, bytes32("root")) {
            _claimed(k, c.claimed, pool.channel(k.id).claimed);
        } catch {}
    }

    function forge(uint256 index, uint256 key, uint128 amount) external {
        (Known storage k, bool found) = _pick(index);
        if (!found) return;
        key = key % 1e18 + 1;
        if (key == payerKey(k.payer)) return;
        IPaymentPool.Claim memory claim = _claim(k, amount, amount);
        claim.signature = _sign(key, pool.voucherDigest(k.id, amount));
        vm.prank(payeeOf(k.payee));
        try pool.redeem(claim, 0) {
            violation = "a forged voucher was redeemed";
        } catch {}
    }

    function requestUnlock(uint256 index) external {
        (Known storage k, bool found) = _pickOpen(index);
        if (!found) return;
        vm.prank(payerOf(k.payer));
        pool.requestUnlock(payeeOf(k.payee), k.modelId, k.salt);
        ++successes;
    }

    function cancelUnlock(uint256 index) external {
        (Known storage k, bool found) = _pickOpen(index);
        if (!found) return;
        vm.prank(payerOf(k.payer));
        pool.cancelUnlock(payeeOf(k.payee), k.modelId, k.salt);
        ++successes;
    }

    function unlock(uint256 index) external {
        (Known storage k, bool found) = _pickOpen(index);
        if (!found) return;
        IPaymentPool.Channel memory c = pool.channel(k.id);
        vm.prank(payerOf(k.payer));
        try pool.unlock(payeeOf(k.payee), k.modelId, k.salt) {
            if (c.unlockAt == 0 || block.timestamp < c.unlockAt) violation = "an unlock came early";
            k.everClosed = true;
            ++successes;
        } catch {}
    }

    function release(uint256 index, uint128 finalAmount) external {
        (Known storage k, bool found) = _pickOpen(index);
        if (!found) return;
        IPaymentPool.Channel memory c = pool.channel(k.id);
        vm.prank(payeeOf(k.payee));
        pool.release(payerOf(k.payer), k.modelId, k.salt, uint128(finalAmount % (uint256(c.locked) + 2)));
        k.everClosed = true;
        ++successes;
    }

    function moveLock(uint256 index, uint256 newPayee, bool consented, uint128 finalAmount, bytes32 salt) external {
        (Known storage k, bool found) = _pickOpen(index);
        if (!found) return;
        IPaymentPool.Channel memory c = pool.channel(k.id);
        finalAmount = uint128(finalAmount % (uint256(c.locked) + 1));
        bytes memory consent = consented ? _sign(payeeKey(k.payee), pool.releaseDigest(k.id, finalAmount)) : bytes("");
        IPaymentPool.Target memory from = IPaymentPool.Target(payeeOf(k.payee), k.modelId, k.salt);
        IPaymentPool.Target memory to = IPaymentPool.Target(payeeOf(newPayee), modelIds[0], salt);
        vm.prank(payerOf(k.payer));
        try pool.moveLock(from, to, finalAmount, consent) returns (bytes32 id) {
            if (!consented && (c.unlockAt == 0 || block.timestamp < c.unlockAt)) violation = "a lock moved early";
            if (consented && pool.channel(k.id).locked < finalAmount) violation = "the payee lost what it asked for";
            k.everClosed = true;
            _remember(k.payer, newPayee, modelIds[0], salt, id);
            ++successes;
        } catch {}
    }

    function distribute(uint256 index) external {
        if (splits.length == 0) return;
        pool.distribute(splits[index % splits.length]);
    }

    function withdrawRevenue(uint256 who) external {
        address account = who % 5 == 0 ? MODEL_OWNER : payeeOf(who);
        uint256 before = token.balanceOf(account);
        vm.prank(account);
        totalPaidOut += pool.withdrawRevenue(splits, account);
        if (token.balanceOf(account) < before) violation = "a withdrawal took tokens";
        ++successes;
    }

    function withdrawProtocolRevenue() external {
        totalPaidOut += pool.withdrawProtocolRevenue();
    }

    function passTime(uint32 secondsPassed) external {
        vm.warp(block.timestamp + secondsPassed % 2 hours);
    }

    // ------------------------------------------------------------------------------------------------- sums

    function accounted() external view returns (uint256 sum) {
        for (uint256 i; i < ACTORS; ++i) {
            sum += pool.freeBalanceOf(payerOf(i)) + pool.revenueOf(payeeOf(i));
        }
        for (uint256 i; i < known.length; ++i) {
            IPaymentPool.Channel memory c = pool.channel(known[i].id);
            sum += c.locked - c.claimed;
        }
        return sum + unpaidRevenue() - _revenueOfPayees();
    }

    /// @notice Claimed and still in the pool.
    function unpaidRevenue() public view returns (uint256 sum) {
        for (uint256 i; i < splits.length; ++i) {
            sum += pool.undividedRevenue(pool.splitHash(splits[i]));
        }
        sum += _revenueOfPayees() + pool.revenueOf(MODEL_OWNER) + pool.protocolRevenue();
    }

    function knownCount() external view returns (uint256) {
        return known.length;
    }

    function _revenueOfPayees() private view returns (uint256 sum) {
        for (uint256 i; i < ACTORS; ++i) {
            sum += pool.revenueOf(payeeOf(i));
        }
    }

    function _pick(uint256 index) private view returns (Known storage k, bool found) {
        found = known.length > 0;
        k = known[found ? index % known.length : 0];
    }

    /// @dev The first open channel from there on, so that long runs do not end among closed ones.
    function _pickOpen(uint256 index) private view returns (Known storage k, bool found) {
        (k, found) = _pick(index);
        for (uint256 i; i < known.length; ++i) {
            Known storage candidate = known[(index % known.length + i) % known.length];
            if (!candidate.everClosed) return (candidate, true);
        }
        return (k, false);
    }

    function _remember(uint256 payer, uint256 payee, bytes32 modelId, bytes32 salt, bytes32 id) private {
        known.push(Known(payer, payee, modelId, salt, id, 0, false));
        IPaymentPool.Channel memory c = pool.channel(id);
        IPaymentPool.Split memory split = IPaymentPool.Split(payeeOf(payee), c.modelOwner, c.ownerBps, c.protocolBps);
        bytes32 key = pool.splitHash(split);
        if (!splitSeen[key]) splits.push(split);
        splitSeen[key] = true;
    }

    function _claim(Known storage k, uint128 amount, uint128 ceiling) private view returns (IPaymentPool.Claim memory) {
        bytes memory signature = _sign(payerKey(k.payer), pool.voucherDigest(k.id, ceiling));
        return IPaymentPool.Claim(payerOf(k.payer), k.modelId, k.salt, amount, ceiling, signature);
    }

    function _claimed(Known storage k, uint128 before, uint128 afterwards) private {
        if (afterwards < before || before < k.lastClaimed) violation = "claimed went down";
        totalClaimed += afterwards - before;
        k.lastClaimed = afterwards;
        ++successes;
    }
}

contract PaymentPoolInvariantTest {
    PoolHandler internal handler;

    function setUp() public {
        handler = new PoolHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// One campaign for all of them: each is checked after every call.
    function invariant_every_rule_holds() public view {
        _pool_holds_exactly_what_it_owes();
        _claims_become_revenue_to_the_unit();
        _claimed_never_exceeds_locked();
        _no_rule_was_broken();
        _supply_is_constant();
    }

    function _pool_holds_exactly_what_it_owes() private view {
        require(handler.token().balanceOf(address(handler.pool())) == handler.accounted(), "balance and obligations differ");
    }

    function _claims_become_revenue_to_the_unit() private view {
        require(handler.totalClaimed() == handler.unpaidRevenue() + handler.totalPaidOut(), "revenue leaked");
    }

    function _claimed_never_exceeds_locked() private view {
        for (uint256 i; i < handler.knownCount(); ++i) {
            (,,,, bytes32 id, uint128 lastClaimed,) = handler.known(i);
            IPaymentPool.Channel memory c = handler.pool().channel(id);
            require(c.claimed <= c.locked && c.claimed >= lastClaimed, "claimed out of order");
        }
    }

    function _no_rule_was_broken() private view {
        string memory violation = handler.violation();
        require(bytes(violation).length == 0, violation);
    }

    function _supply_is_constant() private view {
        require(handler.token().totalSupply() == 1e27, "tokens were made or lost");
    }

    function afterInvariant() public view {
        require(handler.successes() > 0, "the handler did nothing");
    }
}
