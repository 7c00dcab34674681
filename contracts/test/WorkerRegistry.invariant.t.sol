// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {Network} from "./Network.sol";
import {vm} from "./Vm.sol";

/// @notice Does random things to stakes, and remembers when each could leave at the earliest.
contract StakeHandler is Network {
    uint256 internal constant ACTORS = 3;
    mapping(address => mapping(bytes32 => uint256)) internal earliest;
    uint256 public staked;
    uint256 public withdrawn;
    uint256 public slashed;
    uint256 public successes;
    string public violation;

    constructor() {
        _deployNetwork();
        workers.setSlasher(address(this));
        for (uint256 i; i < ACTORS; ++i) {
            token.transfer(operatorOf(i), 1e24);
            vm.startPrank(operatorOf(i));
            token.approve(address(workers), type(uint256).max);
            bytes32 structHash = keccak256(abi.encode(workers.REGISTRATION_TYPEHASH(), identityOf(i), operatorOf(i)));
            (, string memory name, string memory version, uint256 chainId, address self,,) = workers.eip712Domain();
            bytes32 domain = keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256(bytes(name)),
                    keccak256(bytes(version)),
                    chainId,
                    self
                )
            );
            bytes32 digest = keccak256(abi.encodePacked("\x19\x01", domain, structHash));
            workers.register(identityOf(i), IWorkerRegistry.Profile("ws://x", "here", 1), _sign(0xD00D + i, digest));
            vm.stopPrank();
        }
    }

    function operatorOf(uint256 i) public pure returns (address) {
        return address(uint160(0x0FF1CE + (i % ACTORS)));
    }

    function identityOf(uint256 i) public pure returns (address) {
        return vm.addr(0xD00D + (i % ACTORS));
    }

    function stake(uint256 who, bool second, uint96 amount) external {
        amount = uint96(uint256(amount) % 1e22 + 1);
        vm.prank(operatorOf(who));
        workers.stake(identityOf(who), modelIds[second ? 1 : 0], amount);
        staked += amount;
        ++successes;
    }

    function requestUnstake(uint256 who, bool second, uint96 amount) external {
        bytes32 modelId = modelIds[second ? 1 : 0];
        uint256 available = workers.stakeOf(identityOf(who), modelId).staked;
        if (available == 0) return;
        vm.prank(operatorOf(who));
        workers.requestUnstake(identityOf(who), modelId, uint256(amount) % available + 1);
        earliest[identityOf(who)][modelId] = block.timestamp + 2 days;
        ++successes;
    }

    function withdrawStake(uint256 who, bool second) external {
        bytes32 modelId = modelIds[second ? 1 : 0];
        vm.prank(operatorOf(who));
        uint256 amount = workers.withdrawStake(identityOf(who), modelId, operatorOf(who));
        if (block.timestamp < earliest[identityOf(who)][modelId]) violation = "stake left early";
        withdrawn += amount;
        ++successes;
    }

    function withdrawAsIdentity(uint256 who, bool second) external {
        vm.prank(identityOf(who));
        workers.withdrawStake(identityOf(who), modelIds[second ? 1 : 0], identityOf(who));
        violation = "the hot key took the stake";
    }

    function slash(uint256 who, bool second, uint96 amount) external {
        bytes32 modelId = modelIds[second ? 1 : 0];
        IWorkerRegistry.Stake memory s = workers.stakeOf(identityOf(who), modelId);
        uint256 total = uint256(s.staked) + s.thawing;
        if (total == 0) return;
        uint256 wanted = uint256(amount) % total + 1;
        uint256 treasuryBefore = token.balanceOf(TREASURY);
        uint256 reporterBefore = token.balanceOf(address(0xBEEF));
        slashed += workers.slash(identityOf(who), modelId, wanted, address(0xBEEF), bytes32("why"));
        uint256 reward = token.balanceOf(address(0xBEEF)) - reporterBefore;
        if (reward != (wanted * 2_000) / 10_000) violation = "wrong reward";
        if (token.balanceOf(TREASURY) - treasuryBefore + reward != wanted) violation = "a slash lost tokens";
        ++successes;
    }

    function jail(uint256 who) external {
        workers.jail(identityOf(who));
        vm.prank(operatorOf(who));
        try workers.withdrawStake(identityOf(who), modelIds[0], operatorOf(who)) {
            violation = "a jailed worker took its stake";
        } catch {}
        if (workers.isEligible(identityOf(who), modelIds[0])) violation = "a jailed worker is eligible";
        workers.reinstate(identityOf(who));
    }

    function drainAndResume(uint256 who) external {
        vm.prank(identityOf(who));
        workers.drain(identityOf(who));
        if (workers.isEligible(identityOf(who), modelIds[0])) violation = "a draining worker is eligible";
        vm.prank(operatorOf(who));
        workers.resume(identityOf(who));
    }

    function passTime(uint32 secondsPassed) external {
        vm.warp(block.timestamp + secondsPassed % 3 days);
    }

    function totalStake() external view returns (uint256 sum) {
        for (uint256 i; i < ACTORS; ++i) {
            for (uint256 j; j < 2; ++j) {
                IWorkerRegistry.Stake memory s = workers.stakeOf(identityOf(i), modelIds[j]);
                sum += uint256(s.staked) + s.thawing;
            }
        }
    }

    function eligibilityIsSound() external view returns (bool) {
        for (uint256 i; i < ACTORS; ++i) {
            for (uint256 j; j < 2; ++j) {
                bool enough = workers.stakeOf(identityOf(i), modelIds[j]).staked >= 2_000 ether;
                if (workers.isEligible(identityOf(i), modelIds[j]) != enough) return false;
            }
        }
        return true;
    }
}

contract WorkerRegistryInvariantTest {
    StakeHandler internal handler;

    function setUp() public {
        handler = new StakeHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// One campaign for all of them: each is checked after every call.
    function invariant_every_rule_holds() public view {
        _registry_holds_exactly_the_stakes();
        _stake_goes_out_by_withdrawal_or_slash_only();
        _eligible_is_active_and_staked_enough();
        _no_rule_was_broken();
    }

    function _registry_holds_exactly_the_stakes() private view {
        require(handler.token().balanceOf(address(handler.workers())) == handler.totalStake(), "balance and stakes differ");
    }

    function _stake_goes_out_by_withdrawal_or_slash_only() private view {
        require(handler.staked() == handler.totalStake() + handler.withdrawn() + handler.slashed(), "stake leaked");
    }

    function _eligible_is_active_and_staked_enough() private view {
        require(handler.eligibilityIsSound(), "eligibility");
    }

    function _no_rule_was_broken() private view {
        string memory violation = handler.violation();
        require(bytes(violation).length == 0, violation);
    }
}
