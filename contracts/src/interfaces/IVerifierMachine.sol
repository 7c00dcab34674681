// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SourceBytes} from "../proofs/SourceBytes.sol";

/// @title Executes one instruction of a verifier.
interface IVerifierMachine {
    /// @notice An earlier value that the instruction reads; the y of a word is not read.
    struct Operand {
        uint256 x;
        uint256 y;
        bytes32[] path;
    }

    /// @notice All that one step needs beside the roots.
    /// @param instruction Its bytes.
    /// @param instructionPath Shows that the program has it at this place.
    /// @param operands One per operand of the op, in the order of the fields.
    /// @param source The source bytes that it reads; empty for ops that read none.
    struct Step {
        bytes instruction;
        bytes32[] instructionPath;
        Operand[] operands;
        SourceBytes.Opening source;
    }

    /// @notice What a step is checked against.
    /// @param program Root over the instructions.
    /// @param trace Root over their values.
    /// @param steps How many there are.
    struct Roots {
        bytes32 program;
        bytes32 trace;
        uint256 steps;
    }

    /// @notice The program has another instruction at this place.
    error WrongInstruction();
    /// @notice No such instruction: unknown op, wrong length, or an operand that is not in front of it.
    error IllFormedInstruction();
    /// @notice The trace has another value at an operand's place.
    error WrongOperand(uint256 operand);

    /// @notice The leaf of instruction `index`'s value.
    /// @param index Its place in the program.
    /// @param roots Program and trace.
    /// @param words Context digest, registration digest, and the digests of the five sources.
    /// @param step What it reads, opened.
    function leafOf(uint256 index, Roots calldata roots, bytes32[7] calldata words, Step calldata step)
        external
        view
        returns (bytes32);
}
