// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Digests of byte strings, and bytes read back from them (docs/spec/verifier-trace.md, section 2).
library SourceBytes {
    /// @notice What a string is cut into.
    uint256 internal constant CHUNK = 1_024;

    /// @notice A part of a string: the chunks that a read touches, in order, each with its siblings.
    /// @param length The length of the whole string.
    /// @param root The root over all of its chunks.
    /// @param chunks The chunks that are touched and exist.
    struct Opening {
        uint256 length;
        bytes32 root;
        OpenedChunk[] chunks;
    }

    /// @notice A chunk and what hangs beside the way from it to the root.
    struct OpenedChunk {
        bytes data;
        bytes32[] siblings;
    }

    /// @notice The opening is not one of the string with that digest, or not of the bytes that are read.
    error WrongOpening();

    /// @notice keccak256(u256 length | root of the chunks).
    function digest(bytes calldata data) internal pure returns (bytes32) {
        uint256 count = (data.length + CHUNK - 1) / CHUNK;
        bytes32[] memory nodes = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            uint256 end = (i + 1) * CHUNK;
            nodes[i] = keccak256(data[i * CHUNK:end < data.length ? end : data.length]);
        }
        for (; count > 1; count = (count + 1) >> 1) {
            for (uint256 i; 2 * i < count; ++i) {
                nodes[i] = 2 * i + 1 < count ? keccak256(abi.encode(nodes[2 * i], nodes[2 * i + 1])) : nodes[2 * i];
            }
        }
        return keccak256(abi.encode(data.length, data.length == 0 ? bytes32(0) : nodes[0]));
    }

    /// @notice The length of the string with this digest.
    function lengthOf(bytes32 digest_, Opening calldata opening) internal pure returns (uint256) {
        require(keccak256(abi.encode(opening.length, opening.root)) == digest_, WrongOpening());
        return opening.length;
    }

    /// @notice `size` bytes from `offset` of the string with this digest; zeros behind its end.
    function read(bytes32 digest_, Opening calldata opening, uint256 offset, uint256 size) internal pure returns (bytes memory out) {
        uint256 length = lengthOf(digest_, opening);
        out = new bytes(size);
        uint256 used;
        for (uint256 chunk = offset / CHUNK; chunk * CHUNK < offset + size && chunk * CHUNK < length; ++chunk) {
            require(used < opening.chunks.length, WrongOpening());
            OpenedChunk calldata opened = opening.chunks[used++];
            _checkChunk(opened, chunk, length, opening.root);
            _copyOverlap(out, offset, opened.data, chunk * CHUNK);
        }
        require(used == opening.chunks.length, WrongOpening());
    }

    // The length of a string fixes how long each chunk is and how many siblings it has, so an inner node never passes for a chunk.
    function _checkChunk(OpenedChunk calldata opened, uint256 index, uint256 length, bytes32 root) private pure {
        uint256 left = length - index * CHUNK;
        require(opened.data.length == (left < CHUNK ? left : CHUNK), WrongOpening());
        bytes32 hash = keccak256(opened.data);
        uint256 used;
        for (uint256 count = (length + CHUNK - 1) / CHUNK; count > 1; count = (count + 1) >> 1) {
            if (index & 1 == 1 || index + 1 < count) {
                require(used < opened.siblings.length, WrongOpening());
                bytes32 sibling = opened.siblings[used++];
                hash = index & 1 == 1 ? keccak256(abi.encode(sibling, hash)) : keccak256(abi.encode(hash, sibling));
            }
            index >>= 1;
        }
        require(hash == root && used == opened.siblings.length, WrongOpening());
    }

    // out covers the string from `offset`, data covers it from `start`.
    function _copyOverlap(bytes memory out, uint256 offset, bytes calldata data, uint256 start) private pure {
        uint256 from = offset > start ? offset : start;
        uint256 to = offset + out.length < start + data.length ? offset + out.length : start + data.length;
        if (to <= from) return;
        assembly ("memory-safe") {
            calldatacopy(add(add(out, 0x20), sub(from, offset)), add(data.offset, sub(from, start)), sub(to, from))
        }
    }
}
