// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AIConfig} from "../src/AIConfig.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {PaymentPool} from "../src/PaymentPool.sol";
import {TacitToken} from "../src/TacitToken.sol";
import {WorkerRegistry} from "../src/WorkerRegistry.sol";
import {IAIConfig} from "../src/interfaces/IAIConfig.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {vm} from "./Vm.sol";

/// @notice A deployed network with two models, for tests to inherit.
abstract contract Network {
    uint256 internal constant SUPPLY = 1e27;
    address internal constant TREASURY = address(0x7EA5);
    address internal constant MODEL_OWNER = address(0x0017);

    TacitToken public token;
    AIConfig public config;
    ModelRegistry public models;
    WorkerRegistry public workers;
    PaymentPool public pool;
    bytes32[2] public modelIds;

    function _deployNetwork() internal {
        vm.warp(1_800_000_000);
        token = new TacitToken(address(this), SUPPLY);
        config = new AIConfig(address(this), TREASURY, soundParameters());
        models = new ModelRegistry(config);
        workers = new WorkerRegistry(address(this), token, config, models);
        pool = new PaymentPool(token, config, models);
        modelIds[0] = _publish(bytes32("first"), 1_500);
        modelIds[1] = _publish(bytes32("second"), 3_333);
    }

    function soundParameters() public pure returns (IAIConfig.Parameters memory) {
        return IAIConfig.Parameters({
            protocolFeeBps: 333,
            maxOwnerBps: 5_000,
            slashRewardBps: 2_000,
            maxSlashBps: 10_000,
            unlockDelaySeconds: 1 hours,
            stakeThawSeconds: 2 days,
            disputeWindowSeconds: 1 days,
            minStakeFloor: 1_000 ether
        });
    }

    function publication(bytes32 root, uint16 ownerBps) public pure returns (IModelRegistry.Publication memory) {
        return IModelRegistry.Publication({
            commitmentsRoot: root,
            manifestHash: bytes32("manifest"),
            salt: 0,
            pricePerStep: 1 ether,
            minStake: 2_000 ether,
            engineClass: 1,
            ownerBps: ownerBps,
            allowListed: false,
            previous: 0
        });
    }

    function _publish(bytes32 root, uint16 ownerBps) internal returns (bytes32) {
        vm.prank(MODEL_OWNER);
        return models.publish(publication(root, ownerBps));
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
