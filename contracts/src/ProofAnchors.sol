// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title When somebody vouched for a batch of layer proofs: one root, one slot, one event.
/// @notice Shows that proofs existed, and who said so, not that they verify. Anybody shows the inclusion of one proof offline, from
/// the root and a path (docs/spec/contracts.md).
contract ProofAnchors {
    // keccak256(abi.encode(poster, root)) => seconds of the first time
    mapping(bytes32 key => uint256 time) private _anchors;

    /// @notice A root was anchored.
    /// @param poster Who anchored it.
    /// @param root Root over the batch.
    /// @param count How many proofs it covers.
    event ProofsAnchored(address indexed poster, bytes32 indexed root, uint32 count);

    /// @notice Nobody anchors an empty batch or a zero root.
    error EmptyBatch();
    /// @notice That poster anchored that root before.
    error AlreadyAnchored(uint256 time);

    /// @notice Anchors the root over a batch of proofs in the caller's name.
    function anchor(bytes32 root, uint32 count) external {
        require(root != 0 && count != 0, EmptyBatch());
        bytes32 key = keccak256(abi.encode(msg.sender, root));
        require(_anchors[key] == 0, AlreadyAnchored(_anchors[key]));
        _anchors[key] = block.timestamp;
        emit ProofsAnchored(msg.sender, root, count);
    }

    /// @notice When `poster` anchored `root`, in Unix seconds; zero if it did not.
    function anchoredAt(address poster, bytes32 root) external view returns (uint256) {
        return _anchors[keccak256(abi.encode(poster, root))];
    }
}
