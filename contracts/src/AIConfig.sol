// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IAIConfig} from "./interfaces/IAIConfig.sol";

/// @title Every parameter of the network, inside bounds that not even its owner can leave.
/// @notice The owner is meant to be a timelock. The bounds are constants: a hostile owner cannot take payments for the
/// protocol, cannot freeze locks for longer than a month and cannot let stake leave before its last dispute.
contract AIConfig is IAIConfig, Ownable2Step {
    /// @notice The protocol never takes more than a tenth.
    uint16 public constant PROTOCOL_FEE_BPS_MAX = 1_000;
    /// @notice A model's owner never takes more than this, so that at least a tenth always reaches the worker.
    uint16 public constant OWNER_BPS_MAX = 8_000;
    /// @notice A reward above one half would make framing a worker with a friend's dispute pay.
    uint16 public constant SLASH_REWARD_BPS_MAX = 5_000;
    /// @notice The whole stake.
    uint16 public constant BPS = 10_000;
    /// @notice The shortest time that a payee gets to redeem.
    uint32 public constant UNLOCK_DELAY_MIN = 15 minutes;
    /// @notice The longest time that a payer waits for a lock.
    uint32 public constant UNLOCK_DELAY_MAX = 30 days;
    /// @notice The shortest dispute window.
    uint32 public constant DISPUTE_WINDOW_MIN = 10 minutes;
    /// @notice The longest dispute window.
    uint32 public constant DISPUTE_WINDOW_MAX = 30 days;
    /// @notice The longest time that stake may be held back.
    uint32 public constant STAKE_THAW_MAX = 90 days;
    /// @notice One token: registrations below it would be free to make by the million.
    uint96 public constant MIN_STAKE_FLOOR_MIN = 1 ether;
    /// @notice A floor above it would close the network.
    uint96 public constant MIN_STAKE_FLOOR_MAX = 1_000_000 ether;

    Parameters private _parameters;
    /// @inheritdoc IAIConfig
    address public treasury;

    /// @param owner The account, later the timelock, that may change parameters within the bounds.
    /// @param treasury_ Where protocol revenue goes.
    /// @param initial The first parameters.
    constructor(address owner, address treasury_, Parameters memory initial) Ownable(owner) {
        _setTreasury(treasury_);
        _setParameters(initial);
    }

    /// @inheritdoc IAIConfig
    function parameters() external view returns (Parameters memory) {
        return _parameters;
    }

    /// @notice Replaces all parameters at once, so that bounds between them are checked together.
    function setParameters(Parameters calldata next) external onlyOwner {
        _setParameters(next);
    }

    /// @notice Changes where protocol revenue goes.
    function setTreasury(address next) external onlyOwner {
        _setTreasury(next);
    }

    function _setParameters(Parameters memory next) private {
        require(next.protocolFeeBps <= PROTOCOL_FEE_BPS_MAX, UnsoundParameter("protocolFeeBps"));
        require(next.maxOwnerBps <= OWNER_BPS_MAX, UnsoundParameter("maxOwnerBps"));
        require(next.slashRewardBps <= SLASH_REWARD_BPS_MAX, UnsoundParameter("slashRewardBps"));
        require(next.maxSlashBps > 0 && next.maxSlashBps <= BPS, UnsoundParameter("maxSlashBps"));
        require(
            next.unlockDelaySeconds >= UNLOCK_DELAY_MIN && next.unlockDelaySeconds <= UNLOCK_DELAY_MAX,
            UnsoundParameter("unlockDelaySeconds")
        );
        require(
            next.disputeWindowSeconds >= DISPUTE_WINDOW_MIN && next.disputeWindowSeconds <= DISPUTE_WINDOW_MAX,
            UnsoundParameter("disputeWindowSeconds")
        );
        // Stake must outlast the last voucher redeemed after an unlock request, and every dispute about its work.
        require(
            next.stakeThawSeconds >= uint256(next.unlockDelaySeconds) + next.disputeWindowSeconds
                && next.stakeThawSeconds <= STAKE_THAW_MAX,
            UnsoundParameter("stakeThawSeconds")
        );
        require(
            next.minStakeFloor >= MIN_STAKE_FLOOR_MIN && next.minStakeFloor <= MIN_STAKE_FLOOR_MAX,
            UnsoundParameter("minStakeFloor")
        );
        _parameters = next;
        emit ParametersChanged(next);
    }

    function _setTreasury(address next) private {
        require(next != address(0), UnsoundParameter("treasury"));
        treasury = next;
        emit TreasuryChanged(next);
    }
}
