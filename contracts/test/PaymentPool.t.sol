// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IAIConfig} from "../src/interfaces/IAIConfig.sol";
import {IPaymentPool} from "../src/interfaces/IPaymentPool.sol";
import {Network} from "./Network.sol";
import {vm} from "./Vm.sol";

/// @notice A payer that is a contract: its owner's key signs.
contract SmartAccount is IERC1271 {
    address internal immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address recovered,,) = ECDSA.tryRecover(hash, signature);
        return recovered == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function run(address target, bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory result) = target.call(data);
        require(ok, "call failed");
        return result;
    }
}

contract PaymentPoolTest is Network {
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant PAYEE_KEY = 0xB0B;
    address internal payer = vm.addr(PAYER_KEY);
    address internal payee = vm.addr(PAYEE_KEY);

    function setUp() public {
        _deployNetwork();
        token.transfer(payer, 1e24);
        vm.prank(payer);
        token.approve(address(pool), type(uint256).max);
        vm.prank(payer);
        pool.deposit(1e24);
    }

    function _lock(uint128 amount, bytes32 salt) private returns (bytes32) {
        vm.prank(payer);
        return pool.lock(payee, modelIds[1], amount, salt);
    }

    function _claim(bytes32 id, bytes32 salt, uint128 amount) private view returns (IPaymentPool.Claim memory) {
        return IPaymentPool.Claim(payer, modelIds[1], salt, amount, amount, _sign(PAYER_KEY, pool.voucherDigest(id, amount)));
    }

    function testFuzz_channel_id_binds_chain_pool_parties_model_and_salt(address a, address b, bytes32 m, bytes32 s) public view {
        require(pool.channelIdOf(a, b, m, s) == keccak256(abi.encode(block.chainid, address(pool), a, b, m, s)), "id");
    }

    /// The assembly of redeem against the compiler's own view of the struct, neighbours included.
    function testFuzz_redeeming_touches_claimed_only(uint128 locked, uint128 amount, bool unlocking, bytes32 salt) public {
        locked = uint128(uint256(locked) % 1e24 + 1);
        amount = uint128(uint256(amount) % locked + 1);
        bytes32 id = _lock(locked, salt);
        vm.startPrank(payer);
        if (unlocking) pool.requestUnlock(payee, modelIds[1], salt);
        vm.stopPrank();
        IPaymentPool.Channel memory before = pool.channel(id);
        IPaymentPool.Claim memory claim = _claim(id, salt, amount);
        vm.prank(payee);
        pool.redeem(claim, 0);
        IPaymentPool.Channel memory afterwards = pool.channel(id);
        require(before.claimed == 0 && afterwards.claimed == amount, "claimed");
        afterwards.claimed = 0;
        require(keccak256(abi.encode(before)) == keccak256(abi.encode(afterwards)), "a neighbour changed");
        IPaymentPool.Split memory split = IPaymentPool.Split(payee, before.modelOwner, before.ownerBps, before.protocolBps);
        require(pool.undividedRevenue(pool.splitHash(split)) == amount, "wrong accumulator");
    }

    function testFuzz_split_sums_to_the_payment_and_favours_nobody(uint128 amount, uint16 ownerBps, uint16 protocolBps, bytes32 root) public {
        amount = uint128(uint256(amount) % 1e24 + 1);
        ownerBps = ownerBps % 5_001;
        protocolBps = protocolBps % 1_001;
        vm.assume(root != 0 && root != bytes32("first") && root != bytes32("second"));
        IAIConfig.Parameters memory p = soundParameters();
        p.protocolFeeBps = protocolBps;
        config.setParameters(p);
        bytes32 modelId = _publish(root, ownerBps);
        vm.prank(payer);
        bytes32 id = pool.lock(payee, modelId, amount, 0);
        bytes memory signature = _sign(PAYER_KEY, pool.voucherDigest(id, amount));
        vm.prank(payee);
        pool.redeem(IPaymentPool.Claim(payer, modelId, 0, amount, amount, signature), 0);
        pool.distribute(IPaymentPool.Split(payee, MODEL_OWNER, ownerBps, protocolBps));
        uint256 toOwner = pool.revenueOf(MODEL_OWNER);
        uint256 toPayee = pool.revenueOf(payee);
        uint256 toProtocol = pool.protocolRevenue();
        require(toOwner + toPayee + toProtocol == amount, "sum");
        require(toOwner == (uint256(amount) * ownerBps) / 10_000, "owner");
        require(toProtocol >= (uint256(amount) * protocolBps) / 10_000 && toProtocol <= (uint256(amount) * protocolBps) / 10_000 + 2, "dust");
    }

    function test_a_lock_keeps_the_split_it_was_made_under() public {
        bytes32 id = _lock(1e18, 0);
        vm.prank(MODEL_OWNER);
        models.reprice(modelIds[1], 1, 1, 5_000);
        IAIConfig.Parameters memory p = soundParameters();
        p.protocolFeeBps = 1_000;
        config.setParameters(p);
        IPaymentPool.Channel memory c = pool.channel(id);
        require(c.ownerBps == 3_333 && c.protocolBps == 333, "split moved");
    }

    function test_a_contract_can_pay() public {
        SmartAccount account = new SmartAccount(payer);
        token.transfer(address(account), 10);
        account.run(address(token), abi.encodeCall(token.approve, (address(pool), 10)));
        account.run(address(pool), abi.encodeCall(pool.deposit, (10)));
        account.run(address(pool), abi.encodeCall(pool.lock, (payee, modelIds[0], 10, 0)));
        bytes32 id = pool.channelIdOf(address(account), payee, modelIds[0], 0);
        bytes32 digest = pool.voucherDigest(id, 10);
        IPaymentPool.Claim memory claim = IPaymentPool.Claim(address(account), modelIds[0], 0, 10, 10, _sign(PAYEE_KEY, digest));
        vm.startPrank(payee);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.InvalidVoucherSignature.selector, id));
        pool.redeem(claim, 0);
        claim.signature = _sign(PAYER_KEY, digest);
        pool.redeem(claim, 0);
        require(pool.channel(id).claimed == 10, "not redeemed");
    }

    function test_deposit_by_permit_survives_a_permit_submitted_first() public {
        address who = vm.addr(0xCAFE);
        token.transfer(who, 100);
        bytes32 digest = _permitDigest(who, address(pool), 100, 0, type(uint256).max);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xCAFE, digest);
        token.permit(who, address(pool), 100, type(uint256).max, v, r, s);
        vm.prank(who);
        pool.depositWithPermit(100, type(uint256).max, v, r, s);
        require(pool.freeBalanceOf(who) == 100, "not deposited");
    }

    function test_deposit_by_signed_authorization_needs_no_gas_of_the_payer() public {
        address who = vm.addr(0xCAFE);
        token.transfer(who, 100);
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 structHash = keccak256(abi.encode(typeHash, who, address(pool), 100, 0, block.timestamp + 1, bytes32("n")));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(0xCAFE, digest);
        uint256 until = block.timestamp + 1;
        pool.depositWithAuthorization(who, 100, 0, until, bytes32("n"), v, r, s);
        require(pool.freeBalanceOf(who) == 100 && token.balanceOf(who) == 0, "not deposited");
        vm.expectPartialRevert(bytes4(keccak256("ERC3009UsedAuthorization(address,bytes32)")));
        pool.depositWithAuthorization(who, 100, 0, until, bytes32("n"), v, r, s);
    }

    function test_a_release_signature_is_worth_nothing_twice_or_elsewhere() public {
        bytes32 id = _lock(100, 0);
        bytes memory consent = _sign(PAYEE_KEY, pool.releaseDigest(id, 40));
        _lock(100, bytes32("other"));
        vm.startPrank(payer);
        vm.expectPartialRevert(IPaymentPool.InvalidReleaseSignature.selector);
        pool.releaseWithConsent(payee, modelIds[1], bytes32("other"), 40, consent);
        require(pool.releaseWithConsent(payee, modelIds[1], 0, 40, consent) == 60, "freed");
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.ChannelNotOpen.selector, id));
        pool.releaseWithConsent(payee, modelIds[1], 0, 40, consent);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.ChannelNotOpen.selector, id));
        pool.topUp(payee, modelIds[1], 0, 1);
        vm.stopPrank();
        IPaymentPool.Claim memory claim = _claim(id, 0, 40);
        vm.prank(payee);
        pool.redeem(claim, 0);
        require(pool.channel(id).claimed == 40, "what was kept");
    }

    function test_what_was_claimed_stays_claimed_whatever_the_payee_signs() public {
        bytes32 id = _lock(100, 0);
        vm.startPrank(payee);
        pool.redeem(_claim(id, 0, 70), 0);
        require(pool.release(payer, modelIds[1], 0, 10) == 30, "freed claimed tokens");
        vm.stopPrank();
        require(pool.channel(id).locked == 70, "locked");
    }

    function test_locks_need_an_active_model_a_payee_and_an_amount() public {
        vm.startPrank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.ModelUnavailable.selector, bytes32("none")));
        pool.lock(payee, bytes32("none"), 1, 0);
        vm.expectRevert(IPaymentPool.InvalidPayee.selector);
        pool.lock(address(0), modelIds[0], 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.InvalidAmount.selector, 0));
        pool.lock(payee, modelIds[0], 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.InsufficientFreeBalance.selector, 1e24, 1e24 + 1));
        pool.lock(payee, modelIds[0], 1e24 + 1, 0);
        vm.stopPrank();
        vm.prank(MODEL_OWNER);
        models.retire(modelIds[0]);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.ModelUnavailable.selector, modelIds[0]));
        pool.lock(payee, modelIds[0], 1, 0);
    }

    function test_an_unlock_cannot_be_asked_twice_and_can_be_taken_back() public {
        _lock(100, 0);
        vm.startPrank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.UnlockNotDue.selector, 0));
        pool.cancelUnlock(payee, modelIds[1], 0);
        pool.requestUnlock(payee, modelIds[1], 0);
        vm.expectPartialRevert(IPaymentPool.UnlockPending.selector);
        pool.requestUnlock(payee, modelIds[1], 0);
        pool.cancelUnlock(payee, modelIds[1], 0);
        vm.warp(block.timestamp + 31 days);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.UnlockNotDue.selector, 0));
        pool.unlock(payee, modelIds[1], 0);
    }

    function test_several_steps_fit_in_one_transaction() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(pool.lock, (payee, modelIds[0], 5, bytes32("a")));
        calls[1] = abi.encodeCall(pool.lock, (payee, modelIds[0], 6, bytes32("b")));
        vm.prank(payer);
        pool.multicall(calls);
        require(pool.freeBalanceOf(payer) == 1e24 - 11, "locks");
    }

    function _permitDigest(address owner, address spender, uint256 value, uint256 nonce, uint256 deadline) private view returns (bytes32) {
        bytes32 typeHash = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, owner, spender, value, nonce, deadline));
        return keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), structHash));
    }
}
