// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVerifierMachine} from "./interfaces/IVerifierMachine.sol";
import {Secp256k1} from "./proofs/Secp256k1.sol";
import {SourceBytes} from "./proofs/SourceBytes.sol";
import {TraceTree} from "./proofs/TraceTree.sol";

/// @title One instruction of a verifier, executed (docs/spec/verifier-trace.md, section 3).
/// @notice No hints: the value of an instruction is a function of its operands, of public words and of source bytes. No state.
contract VerifierMachine is IVerifierMachine {
    uint256 internal constant CONST_WORD = 0;
    uint256 internal constant CONST_POINT = 1;
    uint256 internal constant PUBLIC = 2;
    uint256 internal constant LENGTH = 3;
    uint256 internal constant WORD = 4;
    uint256 internal constant POINT = 5;
    uint256 internal constant CHUNK = 6;
    uint256 internal constant HASH2 = 7;
    uint256 internal constant HASH3 = 8;
    uint256 internal constant REDUCE = 9;
    uint256 internal constant ADD = 10;
    uint256 internal constant SUB = 11;
    uint256 internal constant MUL = 12;
    uint256 internal constant FMA = 13;
    uint256 internal constant INV = 14;
    uint256 internal constant MULADD = 15;
    uint256 internal constant EQ = 16;
    uint256 internal constant CANONICAL = 17;
    uint256 internal constant NONZERO = 18;
    uint256 internal constant VALID = 19;
    uint256 internal constant IDENTITY = 20;

    // Per op, the number of operands in bits 0 and 1, which of them are points in bits 2 to 4, whether the value is one in bit 5.
    bytes21 private constant SHAPES = 0x002000000020000203020202020301370302020a0a;

    // Context digest, registration digest, and the digests of the five sources.
    uint256 internal constant PUBLIC_WORDS = 7;
    // Proof, weights, first input, second input, output.
    uint256 internal constant SOURCES = 5;

    /// @inheritdoc IVerifierMachine
    function leafOf(uint256 index, Roots calldata roots, bytes32[PUBLIC_WORDS] calldata words, Step calldata step)
        external
        view
        returns (bytes32)
    {
        uint256 depth = TraceTree.depthOf(roots.steps);
        require(
            step.instructionPath.length == depth
                && TraceTree.climb(TraceTree.instructionLeaf(index, step.instruction), index, step.instructionPath) == roots.program,
            WrongInstruction()
        );
        (uint256 op, uint256[3] memory fields) = _decode(step.instruction);
        uint256 shape = uint8(SHAPES[op]);
        require(step.operands.length == shape & 3, WrongOperand(step.operands.length));
        for (uint256 i; i < shape & 3; ++i) {
            require(fields[i] < index, IllFormedInstruction());
            Operand calldata operand = step.operands[i];
            bool isPoint = (shape >> (2 + i)) & 1 == 1;
            bytes32 leaf = isPoint
                ? TraceTree.pointLeaf(fields[i], operand.x, operand.y)
                : TraceTree.wordLeaf(fields[i], operand.x);
            require(operand.path.length == depth && TraceTree.climb(leaf, fields[i], operand.path) == roots.trace, WrongOperand(i));
        }
        if (shape & 32 == 0) return TraceTree.wordLeaf(index, _wordOf(op, fields, words, step));
        (uint256 x, uint256 y) = _pointOf(op, fields, words, step);
        return TraceTree.pointLeaf(index, x, y);
    }

    // The value of an instruction that yields a word. Any word will do as a scalar: it counts modulo the order.
    function _wordOf(uint256 op, uint256[3] memory fields, bytes32[PUBLIC_WORDS] calldata words, Step calldata step)
        private
        view
        returns (uint256)
    {
        if (op == CONST_WORD) return uint256(bytes32(step.instruction[13:45]));
        if (op <= CHUNK) return _sourceWord(op, fields, words, step);
        Operand[] calldata o = step.operands;
        uint256 a = o[0].x;
        if (op == INV) return Secp256k1.invertScalar(a);
        uint256 b = o[1].x;
        uint256 n = Secp256k1.N;
        if (op == HASH2) return uint256(keccak256(abi.encode(a, b)));
        if (op == HASH3) return uint256(keccak256(abi.encode(a, b, o[2].x)));
        if (op == REDUCE) return addmod(mulmod(a, Secp256k1.R256, n), b, n);
        if (op == ADD) return addmod(a, b, n);
        if (op == SUB) return addmod(a, n - b % n, n);
        if (op == MUL) return mulmod(a, b, n);
        if (op == FMA) return addmod(mulmod(a, b, n), o[2].x, n);
        if (op == EQ) return b == o[2].x ? a : 0;
        if (op == CANONICAL) return b < n ? a : 0;
        if (op == NONZERO) return b != 0 ? a : 0;
        bool isIdentity = b == 0 && o[1].y == 0;
        return (op == VALID) != isIdentity ? a : 0;
    }

    // The value of an instruction that yields a point.
    function _pointOf(uint256 op, uint256[3] memory fields, bytes32[PUBLIC_WORDS] calldata words, Step calldata step)
        private
        view
        returns (uint256 x, uint256 y)
    {
        if (op == CONST_POINT) return (uint256(bytes32(step.instruction[13:45])), uint256(bytes32(step.instruction[45:77])));
        if (op == MULADD) {
            Operand[] calldata o = step.operands;
            return Secp256k1.multiplyAdd(o[0].x, o[0].y, o[1].x, o[2].x, o[2].y);
        }
        bytes memory encoded = SourceBytes.read(_digestOf(fields[0], words), step.source, fields[1], 33);
        uint256 prefix = uint8(encoded[0]);
        assembly ("memory-safe") {
            x := mload(add(encoded, 0x21))
        }
        if (prefix != 2 && prefix != 3) return (0, 0);
        bool exists;
        (exists, y) = Secp256k1.decompress(x, prefix == 3);
        if (!exists) return (0, 0);
    }

    function _sourceWord(uint256 op, uint256[3] memory fields, bytes32[PUBLIC_WORDS] calldata words, Step calldata step)
        private
        pure
        returns (uint256)
    {
        if (op == PUBLIC) {
            require(fields[0] < PUBLIC_WORDS, IllFormedInstruction());
            return uint256(words[fields[0]]);
        }
        bytes32 digest = _digestOf(fields[0], words);
        if (op == LENGTH) return SourceBytes.lengthOf(digest, step.source);
        if (op == WORD) return uint256(bytes32(SourceBytes.read(digest, step.source, fields[1], 32)));
        require(fields[2] > 0 && fields[2] <= SourceBytes.CHUNK, IllFormedInstruction());
        return uint256(keccak256(SourceBytes.read(digest, step.source, fields[1], fields[2])));
    }

    function _digestOf(uint256 source, bytes32[PUBLIC_WORDS] calldata words) private pure returns (bytes32) {
        require(source < SOURCES, IllFormedInstruction());
        return words[2 + source];
    }

    // u8 op | u32 a | u32 b | u32 c | immediate
    function _decode(bytes calldata instruction) private pure returns (uint256 op, uint256[3] memory fields) {
        require(instruction.length >= 13, IllFormedInstruction());
        op = uint8(instruction[0]);
        require(
            op < SHAPES.length && instruction.length == (op == CONST_WORD ? 45 : op == CONST_POINT ? 77 : 13), IllFormedInstruction()
        );
        for (uint256 i; i < 3; ++i) {
            fields[i] = uint32(bytes4(instruction[1 + 4 * i:5 + 4 * i]));
        }
    }
}
