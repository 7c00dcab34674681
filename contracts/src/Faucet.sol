// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @title Small amounts of token and gas for anybody on a local network. Never deployed on a network with value.
contract Faucet is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice The token that drips.
    IERC20 public immutable token;
    /// @notice Tokens per drip.
    uint256 public immutable tokenDrip;
    /// @notice Native currency per drip, for gas.
    uint256 public immutable gasDrip;
    /// @notice How long one recipient waits between two drips.
    uint256 public immutable cooldownSeconds;
    /// @notice When a recipient may be served again.
    mapping(address recipient => uint256 time) public nextDripAt;

    /// @notice Emitted for every drip.
    event Dripped(address indexed recipient, uint256 tokens, uint256 gas);

    /// @notice The recipient was served a short while ago.
    error CoolingDown(uint256 until);
    /// @notice What the faucet holds does not cover another drip.
    error Dry();

    constructor(IERC20 token_, uint256 tokenDrip_, uint256 gasDrip_, uint256 cooldownSeconds_) payable {
        token = token_;
        tokenDrip = tokenDrip_;
        gasDrip = gasDrip_;
        cooldownSeconds = cooldownSeconds_;
    }

    /// @notice Refills the native currency.
    receive() external payable {}

    /// @notice Sends one drip to `recipient`; anybody may ask for anybody.
    function drip(address payable recipient) external nonReentrant {
        require(block.timestamp >= nextDripAt[recipient], CoolingDown(nextDripAt[recipient]));
        require(token.balanceOf(address(this)) >= tokenDrip && address(this).balance >= gasDrip, Dry());
        nextDripAt[recipient] = block.timestamp + cooldownSeconds;
        emit Dripped(recipient, tokenDrip, gasDrip);
        token.safeTransfer(recipient, tokenDrip);
        (bool sent,) = recipient.call{value: gasDrip}("");
        require(sent, Dry());
    }
}
