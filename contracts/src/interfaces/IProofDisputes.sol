// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVerifierMachine} from "./IVerifierMachine.sol";

/// @title Assertions that layer proofs verify, and the games about them.
interface IProofDisputes {
    /// @notice Refuted and Final are final.
    enum AssertionStatus {
        None,
        Open,
        Refuted,
        Final
    }

    /// @notice Whose turn it is, or how the game ended.
    /// @param None There is no such game.
    /// @param Reveal The nodes below the current one are to be revealed, or the poster loses.
    /// @param Choose The challenger is to pick one of them, or it loses.
    /// @param Step The instruction is to be executed, or the challenger loses.
    /// @param Won The challenger won.
    /// @param Lost The challenger lost.
    /// @param Withdrawn Another challenger refuted the assertion first.
    enum Phase {
        None,
        Reveal,
        Choose,
        Step,
        Won,
        Lost,
        Withdrawn
    }

    /// @notice The money and the clock; fixed for the life of the contract.
    /// @param posterBond What an assertion puts up.
    /// @param challengerBond What a challenge puts up.
    /// @param winnerBps The winner's part of the loser's bond; the rest is burnt.
    /// @param moveSeconds How long one move may take.
    struct Terms {
        uint128 posterBond;
        uint128 challengerBond;
        uint16 winnerBps;
        uint32 moveSeconds;
    }

    /// @notice What is asserted to verify. Chain and model registry complete the context of the proof.
    /// @param modelId The model.
    /// @param layerIndex Which of its layers.
    /// @param requestId The request.
    /// @param nonce The request's nonce.
    /// @param payee Who was to be paid for it.
    /// @param specDigest Digest of the layer's spec.
    /// @param weightsDigest Digest of the layer's weight commitments; of the empty string when it has none.
    /// @param program The verifier's program, as registered for the layer.
    /// @param traceRoot Root over the values of its instructions.
    /// @param proof The proof.
    /// @param input0 Commitments to the first input.
    /// @param input1 Commitments to the second input, empty when there is none.
    /// @param output Commitments to the output.
    /// @param verdictPath Shows that the last value is the word 1.
    struct Claim {
        bytes32 modelId;
        uint32 layerIndex;
        bytes32 requestId;
        bytes32 nonce;
        address payee;
        bytes32 specDigest;
        bytes32 weightsDigest;
        Program program;
        bytes32 traceRoot;
        bytes proof;
        bytes input0;
        bytes input1;
        bytes output;
        bytes32[] verdictPath;
    }

    /// @notice A verifier's program.
    /// @param root Root over its instructions.
    /// @param steps How many there are.
    struct Program {
        bytes32 root;
        uint32 steps;
    }

    /// @notice What an assertion is about.
    /// @param words The public words of the program: context digest, registration digest, digests of the five sources.
    /// @param programRoot The program.
    struct Subject {
        bytes32[7] words;
        bytes32 programRoot;
    }

    /// @notice An assertion; three storage slots.
    /// @param poster Who put up the bond.
    /// @param challengeUntil The last second in which a challenge may begin.
    /// @param status See AssertionStatus.
    /// @param liveGames Games that are not over.
    /// @param steps Instructions of the program.
    /// @param traceRoot Root over their values.
    /// @param subjectHash Hash of the Subject.
    struct Assertion {
        address poster;
        uint40 challengeUntil;
        AssertionStatus status;
        uint24 liveGames;
        uint24 steps;
        bytes32 traceRoot;
        bytes32 subjectHash;
    }

    /// @notice A game; three storage slots. The challenger is part of its key.
    /// @param moveUntil The last second for the next move.
    /// @param phase See Phase.
    /// @param height Levels between the current node and the leaves.
    /// @param index Position of the current node among those of its level.
    /// @param node The current node of the poster's tree.
    /// @param revealed Hash of the nodes that were revealed below it.
    struct Game {
        uint40 moveUntil;
        Phase phase;
        uint8 height;
        uint24 index;
        bytes32 node;
        bytes32 revealed;
    }

    /// @notice A poster asserted that a proof verifies.
    event ProofAsserted(
        bytes32 indexed assertionId,
        address indexed poster,
        bytes32 indexed modelId,
        uint32 layerIndex,
        Subject subject,
        bytes32 traceRoot,
        uint24 steps,
        uint40 challengeUntil
    );
    /// @notice The bytes that an assertion is about, so that nobody has to ask the poster for them.
    event ProofPublished(bytes32 indexed assertionId, bytes proof, bytes input0, bytes input1, bytes output);
    /// @notice A challenger put up a bond.
    event ProofChallenged(bytes32 indexed assertionId, address indexed challenger, uint40 moveUntil);
    /// @notice Nodes of the poster's tree below the current one.
    event NodesRevealed(bytes32 indexed assertionId, address indexed challenger, bytes32[] nodes, uint40 moveUntil);
    /// @notice The challenger picked one; `height` levels remain.
    event NodeChosen(bytes32 indexed assertionId, address indexed challenger, uint24 index, uint8 height, uint40 moveUntil);
    /// @notice An instruction was executed.
    event StepExecuted(bytes32 indexed assertionId, address indexed challenger, uint24 index, bytes32 leaf);
    /// @notice A game ended.
    event GameEnded(bytes32 indexed assertionId, address indexed challenger, Phase phase);
    /// @notice The assertion is void.
    event ProofRefuted(bytes32 indexed assertionId, address indexed challenger);
    /// @notice The assertion stands.
    event ProofFinalised(bytes32 indexed assertionId);

    /// @notice The terms are outside their bounds.
    error UnsoundTerms();
    /// @notice That assertion was made already.
    error AssertionExists(bytes32 assertionId);
    /// @notice There is no such assertion, or it is decided.
    error AssertionNotOpen(bytes32 assertionId);
    /// @notice No program with this root and length is registered for a layer with this digest.
    error UnregisteredProgram(bytes32 modelId, uint32 layerIndex);
    /// @notice The opening does not show that the last value is 1.
    error WrongVerdict();
    /// @notice The time for challenges is over.
    error TooLateToChallenge(uint40 challengeUntil);
    /// @notice One game per assertion and challenger.
    error GameExists(bytes32 assertionId, address challenger);
    /// @notice The game is not in the phase of that move.
    error WrongPhase(Phase phase);
    /// @notice The time for the move is over.
    error TooLateToMove(uint40 moveUntil);
    /// @notice There is still time for the move.
    error StillTimeToMove(uint40 moveUntil);
    /// @notice These are not the nodes below the current one.
    error WrongNodes();
    /// @notice No instruction lies below that node, or there is no such node.
    error WrongChoice();
    /// @notice That is not what the assertion is about.
    error WrongSubject();
    /// @notice Time for challenges is left, or games are going on.
    error NotDecided(uint40 challengeUntil, uint24 liveGames);
    /// @notice The token moved less than the bond.
    error BondIncomplete();

    /// @notice Asserts that a proof verifies.
    function assertProof(Claim calldata claim) external returns (bytes32 assertionId);
    /// @notice Begins a game.
    function challenge(bytes32 assertionId) external;
    /// @notice Reveals the nodes below the current one.
    function reveal(bytes32 assertionId, address challenger, bytes32[] calldata nodes) external;
    /// @notice Picks one of them.
    function choose(bytes32 assertionId, bytes32[] calldata nodes, uint256 position) external;
    /// @notice Executes the instruction that the game came down to.
    function executeStep(bytes32 assertionId, address challenger, Subject calldata subject, IVerifierMachine.Step calldata step) external;
    /// @notice Ends a game whose next move is overdue.
    function claimTimeout(bytes32 assertionId, address challenger) external;
    /// @notice Gives a challenger of a refuted assertion its bond back.
    function withdrawChallenge(bytes32 assertionId, address challenger) external;
    /// @notice Makes an unrefuted assertion final.
    function finalise(bytes32 assertionId) external;
}
