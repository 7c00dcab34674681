// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title The token of stake, votes and fees: a fixed supply, nobody can mint.
/// @notice ERC-20 with votes (ERC-5805), permit (ERC-2612) and signed transfers (ERC-3009, which x402 uses).
contract TacitToken is ERC20, ERC20Permit, ERC20Votes, ERC3009 {
    /// @param holder Receives the whole supply.
    /// @param supply In the smallest unit, 10^-18 TACIT.
    constructor(address holder, uint256 supply) ERC20("Tacit", "TACIT") ERC20Permit("Tacit") {
        _mint(holder, supply);
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
