// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The trees over the values and over the instructions of a verifier (docs/spec/verifier-trace.md, section 4).
/// @dev Values, nodes and instructions are hashed behind different first bytes and a leaf names its index, so that nothing passes for
/// anything else; the depth of a tree follows from the number of its leaves.
library TraceTree {
    /// @notice A step has fewer than 2^24 leaves in each of its trees.
    uint256 internal constant STEPS_MAX = 2 ** 24 - 1;

    /// @notice The leaf of node `index` whose value is a word.
    function wordLeaf(uint256 index, uint256 value) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), uint32(index), uint8(0), value));
    }

    /// @notice The leaf of node `index` whose value is a point.
    function pointLeaf(uint256 index, uint256 x, uint256 y) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), uint32(index), uint8(1), x, y));
    }

    /// @notice The leaf of instruction `index`.
    function instructionLeaf(uint256 index, bytes calldata instruction) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(2), uint32(index), instruction));
    }

    /// @notice The node above two others.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(1), left, right));
    }

    /// @notice The least depth of a tree that holds `steps` leaves.
    function depthOf(uint256 steps) internal pure returns (uint256 depth) {
        while (uint256(1) << depth < steps) ++depth;
    }

    /// @notice The root above `leaf` at position `index`, by the siblings from the leaf upwards.
    function climb(bytes32 leaf, uint256 index, bytes32[] calldata siblings) internal pure returns (bytes32) {
        for (uint256 level; level < siblings.length; ++level) {
            leaf = (index >> level) & 1 == 1 ? node(siblings[level], leaf) : node(leaf, siblings[level]);
        }
        return leaf;
    }

    /// @notice The node above a row of nodes; their number is a power of two.
    function fold(bytes32[] calldata row) internal pure returns (bytes32) {
        bytes32[] memory nodes = row;
        for (uint256 width = nodes.length >> 1; width > 0; width >>= 1) {
            for (uint256 i; i < width; ++i) {
                nodes[i] = node(nodes[2 * i], nodes[2 * i + 1]);
            }
        }
        return nodes[0];
    }
}
