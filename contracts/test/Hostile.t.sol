// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {PaymentPool} from "../src/PaymentPool.sol";
import {IAIConfig} from "../src/interfaces/IAIConfig.sol";
import {IPaymentPool} from "../src/interfaces/IPaymentPool.sol";
import {Network} from "./Network.sol";
import {vm} from "./Vm.sol";

/// @notice A payer that is a contract and answers as its mode says.
contract ContractPayer is IERC1271 {
    enum Mode {
        BurnGas,
        AnswerAtLength,
        Revert,
        AcceptAtACost
    }

    Mode internal immutable mode;

    constructor(Mode mode_, PaymentPool pool, IERC20 token, address payee, bytes32 modelId) {
        mode = mode_;
        token.approve(address(pool), 100);
        // Tokens are at this address before it has code.
        pool.deposit(100);
        pool.lock(payee, modelId, 100, 0);
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (mode == Mode.Revert) revert("never");
        if (mode == Mode.BurnGas) while (true) {}
        if (mode == Mode.AnswerAtLength) {
            assembly {
                return(0, 200000)
            }
        }
        uint256 start = gasleft();
        while (start - gasleft() < 250_000) {}
        return IERC1271.isValidSignature.selector;
    }
}

/// @notice Like wrapped native currencies: a plain ERC-20 whose fallback takes any call.
contract WrappedNative is ERC20("Wrapped", "W") {
    constructor() {
        _mint(msg.sender, 1e24);
    }

    fallback() external payable {}
    receive() external payable {}
}

/// @notice Takes a hundredth of every transfer.
contract FeeToken is ERC20("Fee", "F") {
    constructor() {
        _mint(msg.sender, 1e24);
    }

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) ? 0 : value / 100;
        super._update(from, to, value - fee);
        if (fee > 0) super._update(from, address(0xFEE), fee);
    }
}

/// @notice What somebody tries who wants to drain the pool, to freeze it, or to make it lie.
contract HostileTest is Network {
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant PAYEE_KEY = 0xB0B;
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    address internal payer = vm.addr(PAYER_KEY);
    address internal payee = vm.addr(PAYEE_KEY);

    function setUp() public {
        _deployNetwork();
        token.transfer(payer, 1e24);
        vm.startPrank(payer);
        token.approve(address(pool), type(uint256).max);
        pool.deposit(1e23);
        vm.stopPrank();
    }

    function _lock(bytes32 salt) private returns (bytes32) {
        vm.prank(payer);
        return pool.lock(payee, modelIds[1], 100, salt);
    }

    function _claim(bytes32 id, bytes32 salt, uint128 amount) private view returns (IPaymentPool.Claim memory) {
        return IPaymentPool.Claim(payer, modelIds[1], salt, amount, amount, _sign(PAYER_KEY, pool.voucherDigest(id, amount)));
    }

    function _contractPayer(ContractPayer.Mode mode) private returns (ContractPayer hostile) {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        token.transfer(next, 100);
        hostile = new ContractPayer(mode, pool, token, payee, modelIds[1]);
        require(address(hostile) == next, "address");
    }

    function _claimOf(ContractPayer contractPayer) private view returns (IPaymentPool.Claim memory) {
        return IPaymentPool.Claim(address(contractPayer), modelIds[1], 0, 50, 50, hex"01");
    }

    // ------------------------------------------------------------------------------------ payers that are contracts

    /// Three contracts that never agree, in front of eight vouchers that are good.
    function test_contracts_that_waste_gas_hold_up_no_batch() public {
        IPaymentPool.Claim[] memory claims = new IPaymentPool.Claim[](11);
        for (uint256 i; i < 3; ++i) {
            claims[i] = _claimOf(_contractPayer(ContractPayer.Mode(i)));
        }
        for (uint256 i = 3; i < 11; ++i) {
            claims[i] = _claim(_lock(bytes32(i)), bytes32(i), 60);
        }
        vm.prank(payee);
        uint256 redeemed = pool.redeemMany{gas: 2_500_000}(claims, 0);
        require(redeemed == 8, "held up");
    }

    /// Whatever the gas limit: if the call succeeds, it redeemed both. Otherwise the search for the least gas that "works"
    /// ends where the contract's voucher is skipped.
    function test_a_contracts_good_voucher_is_never_skipped_for_lack_of_gas() public {
        IPaymentPool.Claim[] memory claims = new IPaymentPool.Claim[](2);
        claims[0] = _claim(_lock(0), 0, 60);
        claims[1] = _claimOf(_contractPayer(ContractPayer.Mode.AcceptAtACost));
        for (uint256 limit = 60_000; limit < 1_000_000; limit += 2_000) {
            vm.prank(payee);
            try pool.redeemMany{gas: limit}(claims, 0) returns (uint256 redeemed) {
                require(redeemed == 2, "skipped for lack of gas");
                return;
            } catch {}
        }
        revert("never redeemed");
    }

    /// EIP-7702: an account that signed as a plain key and then got code still pays.
    function test_a_payer_that_becomes_a_contract_still_pays() public {
        IPaymentPool.Claim memory claim = _claim(_lock(0), 0, 60);
        vm.etch(payer, hex"5f5ffd");
        vm.prank(payee);
        pool.redeem(claim, 0);
    }

    // -------------------------------------------------------------------------------------------------- deposits

    function test_a_deposit_that_moves_no_tokens_is_refused() public {
        WrappedNative wrapped = new WrappedNative();
        PaymentPool other = new PaymentPool(wrapped, config, models);
        wrapped.approve(address(other), 100);
        other.deposit(100);
        vm.startPrank(payee);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.DepositIncomplete.selector, 100, 0));
        other.depositWithAuthorization(payee, 100, 0, type(uint256).max, 0, 27, bytes32("r"), bytes32("s"));
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        other.depositWithPermit(100, type(uint256).max, 27, bytes32("r"), bytes32("s"));
        vm.stopPrank();
        require(other.freeBalanceOf(payee) == 0, "credited for nothing");
    }

    function test_a_token_that_takes_a_fee_is_refused() public {
        FeeToken fee = new FeeToken();
        PaymentPool other = new PaymentPool(fee, config, models);
        fee.approve(address(other), 100);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.DepositIncomplete.selector, 100, 99));
        other.deposit(100);
    }

    // ------------------------------------------------------------------------------------------------ unlock delay

    function test_a_new_unlock_delay_leaves_open_locks_alone() public {
        bytes32 before = _lock("before");
        IAIConfig.Parameters memory p = soundParameters();
        p.unlockDelaySeconds = 15 minutes;
        config.setParameters(p);
        bytes32 between = _lock("between");
        p.unlockDelaySeconds = 30 days;
        p.stakeThawSeconds = 31 days;
        config.setParameters(p);
        bytes32 afterwards = _lock("after");
        vm.startPrank(payer);
        pool.requestUnlock(payee, modelIds[1], "before");
        pool.requestUnlock(payee, modelIds[1], "between");
        pool.requestUnlock(payee, modelIds[1], "after");
        vm.stopPrank();
        require(pool.channel(before).unlockAt == block.timestamp + 1 hours, "a delay that the payee relied on");
        require(pool.channel(between).unlockAt == block.timestamp + 15 minutes, "a delay that the payer relied on");
        require(pool.channel(afterwards).unlockAt == block.timestamp + 30 days, "the new delay");
    }

    function testFuzz_the_delay_is_never_shorter_than_the_config_said(uint32 delay, uint32 early) public {
        IAIConfig.Parameters memory p = soundParameters();
        p.unlockDelaySeconds = uint32(uint256(delay) % (30 days - 15 minutes + 1) + 15 minutes);
        p.stakeThawSeconds = p.unlockDelaySeconds + p.disputeWindowSeconds;
        config.setParameters(p);
        bytes32 id = _lock(0);
        vm.startPrank(payer);
        pool.requestUnlock(payee, modelIds[1], 0);
        uint256 unlockAt = pool.channel(id).unlockAt;
        uint256 least = block.timestamp + p.unlockDelaySeconds;
        require(unlockAt >= least && unlockAt < least + 1 minutes, "not the delay");
        vm.warp(unlockAt - 1 - uint256(early) % (unlockAt - block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.UnlockNotDue.selector, unlockAt));
        pool.unlock(payee, modelIds[1], 0);
        vm.warp(unlockAt);
        pool.unlock(payee, modelIds[1], 0);
        vm.stopPrank();
    }

    /// The payee may redeem for as long as the payer has not taken the lock back, also after the delay.
    function test_a_payer_that_waits_gives_the_payee_time() public {
        IPaymentPool.Claim memory claim = _claim(_lock(0), 0, 60);
        vm.prank(payer);
        pool.requestUnlock(payee, modelIds[1], 0);
        vm.warp(block.timestamp + 31 days);
        vm.prank(payee);
        pool.redeem(claim, 0);
        vm.prank(payer);
        require(pool.unlock(payee, modelIds[1], 0) == 40, "rest");
    }

    // ---------------------------------------------------------------------------------------------- signatures

    function test_the_twin_of_a_signature_and_its_short_form_are_refused() public {
        bytes32 id = _lock(0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, pool.voucherDigest(id, 60));
        bytes[3] memory twins = [
            abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(r, s | bytes32(uint256(v - 27) << 255)),
            abi.encodePacked(r, s, v - 27)
        ];
        for (uint256 i; i < 3; ++i) {
            vm.prank(payee);
            vm.expectRevert(abi.encodeWithSelector(IPaymentPool.InvalidVoucherSignature.selector, id));
            pool.redeem(IPaymentPool.Claim(payer, modelIds[1], 0, 60, 60, twins[i]), 0);
        }
    }

    function test_a_batch_pays_a_voucher_once_however_often_it_is_named() public {
        bytes32 id = _lock(0);
        IPaymentPool.Claim[] memory claims = new IPaymentPool.Claim[](4);
        for (uint256 i; i < 4; ++i) {
            claims[i] = _claim(id, 0, i == 3 ? 59 : 60);
        }
        vm.prank(payee);
        require(pool.redeemMany(claims, 0) == 1, "redeemed twice");
        IPaymentPool.Channel memory c = pool.channel(id);
        require(pool.undividedRevenue(pool.splitHash(IPaymentPool.Split(payee, c.modelOwner, c.ownerBps, c.protocolBps))) == 60, "sum");
    }

    function test_vouchers_and_consents_of_another_deployment_or_chain_are_worth_nothing() public {
        PaymentPool other = new PaymentPool(token, config, models);
        vm.startPrank(payer);
        token.approve(address(other), 100);
        other.deposit(100);
        other.lock(payee, modelIds[1], 100, 0);
        vm.stopPrank();
        bytes32 here = _lock(0);
        bytes32 there = other.channelIdOf(payer, payee, modelIds[1], 0);
        require(here != there, "one id for two channels");
        bytes memory consent = _sign(PAYEE_KEY, pool.releaseDigest(here, 0));
        IPaymentPool.Claim memory claim = _claim(here, 0, 60);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.InvalidVoucherSignature.selector, there));
        other.redeem(claim, 0);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IPaymentPool.InvalidReleaseSignature.selector, there));
        other.releaseWithConsent(payee, modelIds[1], 0, 0, consent);
        vm.chainId(block.chainid + 1);
        vm.prank(payee);
        vm.expectPartialRevert(IPaymentPool.ChannelNotOpen.selector);
        pool.redeem(claim, 0);
    }

    // -------------------------------------------------------------------------------------------------- revenue

    /// Dividing after every claim instead of once moves at most two units per division, to the protocol, from nobody else's gain.
    function testFuzz_dividing_often_takes_dust_only(uint8 parts, uint128 seed) public {
        uint256 count = uint256(parts) % 12 + 1;
        bytes32 id = _lock(0);
        vm.prank(payer);
        pool.topUp(payee, modelIds[1], 0, 1e20);
        IPaymentPool.Split memory split = IPaymentPool.Split(payee, MODEL_OWNER, 3_333, 333);
        uint128 claimed;
        for (uint256 i; i < count; ++i) {
            claimed += uint128(uint256(keccak256(abi.encode(seed, i))) % 1e18 + 1);
            IPaymentPool.Claim memory claim = _claim(id, 0, claimed);
            vm.prank(payee);
            pool.redeem(claim, 0);
            pool.distribute(split);
        }
        uint256 ofPayee = (uint256(claimed) * 6_334) / 10_000;
        uint256 ofOwner = (uint256(claimed) * 3_333) / 10_000;
        require(pool.revenueOf(payee) <= ofPayee && pool.revenueOf(payee) + count >= ofPayee, "payee");
        require(pool.revenueOf(MODEL_OWNER) <= ofOwner && pool.revenueOf(MODEL_OWNER) + count >= ofOwner, "owner");
        require(pool.revenueOf(payee) + pool.revenueOf(MODEL_OWNER) + pool.protocolRevenue() == claimed, "sum");
    }

    function test_a_split_that_nobody_locked_under_divides_nothing() public {
        IPaymentPool.Claim memory claim = _claim(_lock(0), 0, 60);
        vm.prank(payee);
        pool.redeem(claim, 0);
        pool.distribute(IPaymentPool.Split(payee, MODEL_OWNER, 10_000, 65_535));
        pool.distribute(IPaymentPool.Split(payee, payee, 3_333, 333));
        require(pool.revenueOf(payee) == 0 && pool.protocolRevenue() == 0, "divided by another split");
    }
}
