// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AIConfig} from "../src/AIConfig.sol";
import {Faucet} from "../src/Faucet.sol";
import {IAIConfig} from "../src/interfaces/IAIConfig.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {Network} from "./Network.sol";
import {vm} from "./Vm.sol";

contract RegistriesTest is Network {
    address internal constant WORKER = address(0x3003);

    function setUp() public {
        _deployNetwork();
        token.transfer(WORKER, 1e24);
        vm.prank(WORKER);
        token.approve(address(workers), type(uint256).max);
    }

    function profile() private pure returns (IWorkerRegistry.Profile memory) {
        return IWorkerRegistry.Profile("ws://127.0.0.1:1 wss://example", "eu-central", 3);
    }

    function _register() private {
        vm.prank(WORKER);
        workers.register(WORKER, profile(), "");
    }

    // --------------------------------------------------------------------------------------------- AIConfig

    function testFuzz_config_accepts_exactly_what_its_bounds_allow(IAIConfig.Parameters memory p) public {
        bool sound = p.protocolFeeBps <= 1_000 && p.maxOwnerBps <= 8_000 && p.slashRewardBps <= 5_000 && p.maxSlashBps > 0
            && p.maxSlashBps <= 10_000 && p.unlockDelaySeconds >= 15 minutes && p.unlockDelaySeconds <= 30 days
            && p.disputeWindowSeconds >= 10 minutes && p.disputeWindowSeconds <= 30 days
            && p.stakeThawSeconds >= uint256(p.unlockDelaySeconds) + p.disputeWindowSeconds && p.stakeThawSeconds <= 90 days
            && p.minStakeFloor >= 1 ether && p.minStakeFloor <= 1_000_000 ether;
        try config.setParameters(p) {
            require(sound, "unsound parameters accepted");
            require(keccak256(abi.encode(config.parameters())) == keccak256(abi.encode(p)), "not stored");
        } catch {
            require(!sound, "sound parameters refused");
        }
    }

    /// Random parameters are nearly never sound; these always are but for one.
    function testFuzz_config_refuses_one_bad_value_among_good_ones(uint8 which, uint32 by) public {
        IAIConfig.Parameters memory p = soundParameters();
        uint256 excess = uint256(by) % 1_000 + 1;
        which = which % 8;
        if (which == 0) p.protocolFeeBps = uint16(1_000 + excess);
        if (which == 1) p.maxOwnerBps = uint16(8_000 + excess);
        if (which == 2) p.slashRewardBps = uint16(5_000 + excess);
        if (which == 3) p.maxSlashBps = by % 2 == 0 ? 0 : uint16(10_000 + excess);
        if (which == 4) p.unlockDelaySeconds = uint32(by % 2 == 0 ? 15 minutes - excess % 900 - 1 : 30 days + excess);
        if (which == 5) p.disputeWindowSeconds = uint32(by % 2 == 0 ? 10 minutes - excess % 600 - 1 : 30 days + excess);
        if (which == 6) p.stakeThawSeconds = uint32(by % 2 == 0 ? 1 hours + 1 days - excess : 90 days + excess);
        if (which == 7) p.minStakeFloor = uint96(by % 2 == 0 ? 1 ether - excess : 1_000_000 ether + excess);
        vm.expectPartialRevert(IAIConfig.UnsoundParameter.selector);
        config.setParameters(p);
    }

    function test_config_obeys_its_owner_only() public {
        IAIConfig.Parameters memory p = soundParameters();
        vm.startPrank(WORKER);
        vm.expectPartialRevert(bytes4(keccak256("OwnableUnauthorizedAccount(address)")));
        config.setParameters(p);
        vm.expectPartialRevert(bytes4(keccak256("OwnableUnauthorizedAccount(address)")));
        config.setTreasury(WORKER);
        vm.expectPartialRevert(bytes4(keccak256("OwnableUnauthorizedAccount(address)")));
        workers.setSlasher(WORKER);
        vm.stopPrank();
        vm.expectPartialRevert(IAIConfig.UnsoundParameter.selector);
        config.setTreasury(address(0));
    }

    // ---------------------------------------------------------------------------------------------- models

    function test_a_model_is_published_once_and_versions_belong_to_its_owner() public {
        vm.prank(MODEL_OWNER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelExists.selector, modelIds[0]));
        models.publish(publication(bytes32("first"), 1_500));
        IModelRegistry.Publication memory next = publication(bytes32("third"), 0);
        next.previous = modelIds[0];
        vm.prank(WORKER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelIds[0], WORKER));
        models.publish(next);
        vm.prank(MODEL_OWNER);
        bytes32 id = models.publish(next);
        require(models.model(id).version == 2, "version");
        require(models.modelIds(0, 100).length == 3 && models.modelIds(2, 100)[0] == id && models.modelIds(3, 1).length == 0, "pages");
    }

    function testFuzz_model_ids_bind_publisher_root_and_salt(address a, address b, bytes32 root, bytes32 salt, bytes32 other) public view {
        vm.assume(a != b && salt != other);
        require(models.deriveModelId(a, root, salt) != models.deriveModelId(b, root, salt), "publisher");
        require(models.deriveModelId(a, root, salt) != models.deriveModelId(a, root, other), "salt");
    }

    function test_a_model_obeys_its_owner_and_the_config() public {
        vm.startPrank(WORKER);
        vm.expectPartialRevert(IModelRegistry.NotModelOwner.selector);
        models.reprice(modelIds[0], 1, 1, 1);
        vm.expectPartialRevert(IModelRegistry.NotModelOwner.selector);
        models.retire(modelIds[0]);
        vm.expectPartialRevert(IModelRegistry.NotModelOwner.selector);
        models.setAllowed(modelIds[0], WORKER, true);
        vm.expectPartialRevert(IModelRegistry.NotModelOwner.selector);
        models.transferModel(modelIds[0], WORKER);
        vm.stopPrank();
        vm.startPrank(MODEL_OWNER);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.OwnerShareTooHigh.selector, 5_001, 5_000));
        models.reprice(modelIds[0], 1, 1, 5_001);
        IModelRegistry.Publication memory empty = publication(bytes32("x"), 0);
        empty.manifestHash = 0;
        vm.expectRevert(IModelRegistry.EmptyCommitment.selector);
        models.publish(empty);
        models.transferModel(modelIds[0], WORKER);
        vm.stopPrank();
        vm.startPrank(WORKER);
        models.retire(modelIds[0]);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotActive.selector, modelIds[0]));
        models.retire(modelIds[0]);
    }

    // --------------------------------------------------------------------------------------------- workers

    function test_an_identity_is_registered_once_and_by_its_own_consent() public {
        address identity = vm.addr(0x1D);
        vm.startPrank(WORKER);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.IdentityConsentMissing.selector, identity, WORKER));
        workers.register(identity, profile(), "");
        vm.expectPartialRevert(IWorkerRegistry.IdentityConsentMissing.selector);
        workers.register(address(0), profile(), "");
        workers.register(WORKER, profile(), "");
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.AlreadyRegistered.selector, WORKER));
        workers.register(WORKER, profile(), "");
    }

    function test_profiles_are_bounded() public {
        IWorkerRegistry.Profile memory long = profile();
        long.endpoint = string(new bytes(513));
        vm.prank(WORKER);
        vm.expectRevert(IWorkerRegistry.InvalidProfile.selector);
        workers.register(WORKER, long, "");
        _register();
        long = profile();
        long.region = string(new bytes(33));
        vm.prank(WORKER);
        vm.expectRevert(IWorkerRegistry.InvalidProfile.selector);
        workers.setProfile(WORKER, long);
        vm.expectPartialRevert(IWorkerRegistry.NotOperator.selector);
        workers.setProfile(WORKER, profile());
    }

    function test_eligibility_follows_stake_status_model_and_allow_list() public {
        IModelRegistry.Publication memory closed = publication(bytes32("closed"), 0);
        closed.allowListed = true;
        vm.prank(MODEL_OWNER);
        bytes32 closedModel = models.publish(closed);
        _register();
        vm.startPrank(WORKER);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.ModelNotOpen.selector, closedModel, WORKER));
        workers.stake(WORKER, closedModel, 2_000 ether);
        workers.stake(WORKER, modelIds[0], 1_999 ether);
        require(!workers.isEligible(WORKER, modelIds[0]), "too little");
        workers.stake(WORKER, modelIds[0], 1 ether);
        require(workers.isEligible(WORKER, modelIds[0]), "enough");
        require(!workers.isEligible(WORKER, modelIds[1]), "another model");
        vm.stopPrank();
        vm.startPrank(MODEL_OWNER);
        models.setAllowed(closedModel, WORKER, true);
        vm.stopPrank();
        vm.startPrank(WORKER);
        workers.stake(WORKER, closedModel, 2_000 ether);
        require(workers.isEligible(WORKER, closedModel), "allowed");
        vm.stopPrank();
        vm.startPrank(MODEL_OWNER);
        models.setAllowed(closedModel, WORKER, false);
        models.retire(modelIds[0]);
        vm.stopPrank();
        require(!workers.isEligible(WORKER, closedModel) && !workers.isEligible(WORKER, modelIds[0]), "taken off, retired");
    }

    function test_the_floor_holds_below_the_models_minimum() public {
        vm.prank(MODEL_OWNER);
        models.reprice(modelIds[0], 1, 0, 0);
        _register();
        vm.startPrank(WORKER);
        workers.stake(WORKER, modelIds[0], 999 ether);
        require(!workers.isEligible(WORKER, modelIds[0]), "below the floor");
        workers.stake(WORKER, modelIds[0], 1 ether);
        require(workers.isEligible(WORKER, modelIds[0]), "at the floor");
    }

    function test_thawing_stake_is_slashable_and_waits() public {
        _register();
        workers.setSlasher(address(this));
        vm.startPrank(WORKER);
        workers.stake(WORKER, modelIds[0], 100);
        workers.requestUnstake(WORKER, modelIds[0], 100);
        vm.expectPartialRevert(IWorkerRegistry.StillThawing.selector);
        workers.withdrawStake(WORKER, modelIds[0], WORKER);
        vm.stopPrank();
        workers.slash(WORKER, modelIds[0], 60, address(0), bytes32("why"));
        require(token.balanceOf(TREASURY) == 60, "treasury");
        vm.warp(block.timestamp + 2 days);
        vm.prank(WORKER);
        require(workers.withdrawStake(WORKER, modelIds[0], WORKER) == 40, "rest");
    }

    function test_only_the_slasher_slashes_and_only_up_to_the_limit() public {
        _register();
        vm.prank(WORKER);
        workers.stake(WORKER, modelIds[0], 100);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotSlasher.selector, address(this)));
        workers.slash(WORKER, modelIds[0], 1, address(0), 0);
        IAIConfig.Parameters memory p = soundParameters();
        p.maxSlashBps = 2_500;
        config.setParameters(p);
        workers.setSlasher(address(this));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.SlashTooLarge.selector, 26, 25));
        workers.slash(WORKER, modelIds[0], 26, address(0), 0);
        workers.slash(WORKER, modelIds[0], 25, address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WrongStatus.selector, WORKER, IWorkerRegistry.WorkerStatus.Active));
        workers.reinstate(WORKER);
        workers.jail(WORKER);
        vm.prank(WORKER);
        vm.expectPartialRevert(IWorkerRegistry.WrongStatus.selector);
        workers.stake(WORKER, modelIds[0], 1);
    }

    /// The slots of docs/spec/storage.md, read as an offline verifier reads them.
    function testFuzz_state_is_where_the_specification_says(uint96 amount, uint96 thawing, uint32 capacity) public {
        amount = uint96(uint256(amount) % 1e23 + 1);
        thawing = uint96(uint256(thawing) % amount);
        IWorkerRegistry.Profile memory pr = profile();
        pr.capacity = capacity;
        vm.startPrank(WORKER);
        workers.register(WORKER, pr, "");
        workers.stake(WORKER, modelIds[0], amount);
        if (thawing > 0) workers.requestUnstake(WORKER, modelIds[0], thawing);
        vm.stopPrank();
        bytes32 base = keccak256(abi.encode(uint256(keccak256("tacit.storage.WorkerRegistry")) - 1)) & ~bytes32(uint256(0xff));
        uint256 slot = uint256(vm.load(address(workers), keccak256(abi.encode(WORKER, base))));
        require(slot == uint256(uint160(WORKER)) | (1 << 160) | (block.timestamp << 168) | (uint256(capacity) << 208), "worker slot");
        bytes32 ofWorker = keccak256(abi.encode(WORKER, uint256(base) + 1));
        slot = uint256(vm.load(address(workers), keccak256(abi.encode(modelIds[0], ofWorker))));
        uint256 thawedAt = thawing > 0 ? block.timestamp + 2 days : 0;
        require(slot == uint256(amount - thawing) | (uint256(thawing) << 104) | (thawedAt << 208), "stake slot");
    }

    /// A thousand free registrations must not hide those who stake, and one who leaves must not take another off the list.
    function testFuzz_the_list_of_stakers_is_who_stakes(uint256 seed, bool raise) public {
        workers.setSlasher(address(this));
        address[5] memory all;
        for (uint256 i; i < 5; ++i) {
            all[i] = address(uint160(0x5000 + i));
            token.transfer(all[i], 1e24);
            vm.startPrank(all[i]);
            token.approve(address(workers), type(uint256).max);
            workers.register(all[i], profile(), "");
            vm.stopPrank();
        }
        require(workers.stakerCount(modelIds[0]) == 0, "registering is enough");
        for (uint256 i; i < 24; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            address who = all[dice % 5];
            uint256 staked = workers.stakeOf(who, modelIds[0]).staked;
            uint256 amount = (dice >> 32) % 1_200 ether + 1;
            if ((dice >> 16) % 3 == 0 && staked > 0) {
                workers.slash(who, modelIds[0], amount % staked + 1, address(0), 0);
            } else {
                vm.startPrank(who);
                if ((dice >> 16) % 3 == 1 && staked > 0) workers.requestUnstake(who, modelIds[0], amount % staked + 1);
                else workers.stake(who, modelIds[0], amount);
                vm.stopPrank();
            }
            _checkList(all, 1_000 ether);
        }
        if (!raise) return;
        IAIConfig.Parameters memory p = soundParameters();
        p.minStakeFloor = 500 ether;
        config.setParameters(p);
        for (uint256 i; i < 5; ++i) {
            workers.relist(all[i], modelIds[0]);
        }
        _checkList(all, 500 ether);
    }

    function _checkList(address[5] memory all, uint256 floor) private view {
        address[] memory list = workers.stakersOf(modelIds[0], 0, 100);
        require(list.length == workers.stakerCount(modelIds[0]), "count");
        uint256 found;
        for (uint256 i; i < 5; ++i) {
            bool belongs = workers.stakeOf(all[i], modelIds[0]).staked >= floor;
            uint256 times;
            for (uint256 j; j < list.length; ++j) {
                if (list[j] == all[i]) ++times;
            }
            require(times == (belongs ? 1 : 0), "listed wrongly");
            found += times;
        }
        require(found == list.length, "a stranger is listed");
    }

    // ---------------------------------------------------------------------------------------------- faucet

    function test_the_faucet_drips_within_its_limits() public {
        Faucet faucet = new Faucet(token, 10, 0, 60);
        token.transfer(address(faucet), 15);
        faucet.drip(payable(address(0xF00D)));
        vm.expectPartialRevert(Faucet.CoolingDown.selector);
        faucet.drip(payable(address(0xF00D)));
        vm.warp(block.timestamp + 60);
        vm.expectRevert(Faucet.Dry.selector);
        faucet.drip(payable(address(0xF00D)));
        require(token.balanceOf(address(0xF00D)) == 10, "drip");
    }
}
