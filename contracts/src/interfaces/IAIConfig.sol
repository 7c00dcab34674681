// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The network's parameters, as the other contracts read them.
interface IAIConfig {
    /// @notice Every parameter; one storage slot. Bounds are the constants of AIConfig.
    /// @param protocolFeeBps The protocol's share of every payment, in hundredths of a percent.
    /// @param maxOwnerBps The largest share that a model's owner may set.
    /// @param slashRewardBps The share of a slash that rewards whoever proved the offence; the rest goes to the treasury.
    /// @param maxSlashBps The largest share of a stake that one offence may cost.
    /// @param unlockDelaySeconds How long a payee may still redeem after the payer asked for a lock back.
    /// @param stakeThawSeconds How long stake stays slashable after its owner asked for it back.
    /// @param disputeWindowSeconds How long after delivery a dispute may be opened.
    /// @param minStakeFloor The least stake that makes a worker eligible for any model, in the token's smallest unit.
    struct Parameters {
        uint16 protocolFeeBps;
        uint16 maxOwnerBps;
        uint16 slashRewardBps;
        uint16 maxSlashBps;
        uint32 unlockDelaySeconds;
        uint32 stakeThawSeconds;
        uint32 disputeWindowSeconds;
        uint96 minStakeFloor;
    }

    /// @notice Emitted on every change, the first setting included.
    event ParametersChanged(Parameters parameters);
    /// @notice Emitted when the address that receives protocol revenue changes.
    event TreasuryChanged(address indexed treasury);

    /// @notice A parameter lies outside the bounds that keep the economics sound.
    /// @param parameter The name of the refused parameter.
    error UnsoundParameter(string parameter);

    /// @notice All parameters.
    function parameters() external view returns (Parameters memory);
    /// @notice Where protocol revenue goes.
    function treasury() external view returns (address);
}
