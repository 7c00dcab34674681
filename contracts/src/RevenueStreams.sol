// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentPool} from "./interfaces/IPaymentPool.sol";

/// @title Revenue accumulators.
/// @notice Redeeming adds to one accumulator per split; dividing it among payee, owner and protocol waits until somebody
/// wants to withdraw. That keeps redeeming at one storage write for revenue, and loses no unit to rounding: payee and
/// owner are rounded down once per division, and the protocol gets exactly the rest.
abstract contract RevenueStreams is IPaymentPool {
    uint256 private constant BPS = 10_000;

    /// @notice Redeemed and not yet divided, by the hash of the split.
    mapping(bytes32 splitHash => uint256 amount) public undividedRevenue;
    /// @notice Divided and not yet withdrawn.
    mapping(address account => uint256 amount) public revenueOf;
    /// @notice The protocol's part, divided and not yet withdrawn.
    uint256 public protocolRevenue;

    /// @notice The key of a split's accumulator.
    function splitHash(Split memory split) public pure returns (bytes32) {
        return keccak256(abi.encode(split.payee, split.modelOwner, split.ownerBps, split.protocolBps));
    }

    /// @notice Divides an accumulator. Anybody may.
    function distribute(Split calldata split) public {
        bytes32 key = splitHash(split);
        uint256 gross = undividedRevenue[key];
        if (gross == 0) return;
        undividedRevenue[key] = 0;
        uint256 ownerAmount = (gross * split.ownerBps) / BPS;
        uint256 payeeAmount = (gross * (BPS - split.ownerBps - split.protocolBps)) / BPS;
        uint256 protocolAmount = gross - ownerAmount - payeeAmount;
        revenueOf[split.payee] += payeeAmount;
        revenueOf[split.modelOwner] += ownerAmount;
        protocolRevenue += protocolAmount;
        emit RevenueDistributed(split.payee, split.modelOwner, payeeAmount, ownerAmount, protocolAmount);
    }
}
