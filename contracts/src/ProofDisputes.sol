// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAIConfig} from "./interfaces/IAIConfig.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IProofDisputes} from "./interfaces/IProofDisputes.sol";
import {IVerifierMachine} from "./interfaces/IVerifierMachine.sol";
import {LayerPrograms} from "./LayerPrograms.sol";
import {SourceBytes} from "./proofs/SourceBytes.sol";
import {TraceTree} from "./proofs/TraceTree.sol";

/// @title The dispute of a layer proof's verdict.
/// @notice A poster asserts, with a bond, that a proof verifies, and commits to every value of the verifier's run. Whoever computes
/// another value puts up a bond too; both halve the run until one instruction is left, which the chain executes. The rules and why
/// they hold: docs/spec/verifier-trace.md, section 5, and docs/spec/contracts.md. No owner, no upgrade, no pause.
contract ProofDisputes is IProofDisputes, LayerPrograms, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Where the part of a lost bond goes that the winner does not get: nobody has its key.
    address public constant BURN = 0x000000000000000000000000000000000000dEaD;
    /// @notice Levels of the tree per reveal.
    uint256 public constant LEVELS_PER_REVEAL = 4;
    /// @notice The winner's part is at most a half: losing to oneself costs at least the other.
    uint16 public constant WINNER_BPS_MAX = 5_000;
    /// @notice The shortest time for a move.
    uint32 public constant MOVE_SECONDS_MIN = 5 minutes;
    /// @notice The longest time for a move.
    uint32 public constant MOVE_SECONDS_MAX = 7 days;

    /// @notice What bonds are in.
    IERC20 public immutable token;
    /// @notice Names the time for challenges.
    IAIConfig public immutable config;
    /// @notice Executes the last step of a game.
    IVerifierMachine public immutable machine;
    /// @notice What an assertion puts up.
    uint256 public immutable posterBond;
    /// @notice What a challenge puts up.
    uint256 public immutable challengerBond;
    /// @notice The winner's part of the loser's bond.
    uint256 public immutable winnerBps;
    /// @notice How long one move may take.
    uint256 public immutable moveSeconds;

    mapping(bytes32 assertionId => Assertion) private _assertions;
    mapping(bytes32 assertionId => mapping(address challenger => Game)) private _games;

    constructor(IERC20 token_, IAIConfig config_, IModelRegistry models_, IVerifierMachine machine_, Terms memory terms)
        LayerPrograms(models_)
    {
        require(
            terms.posterBond > 0 && terms.challengerBond > 0 && terms.winnerBps <= WINNER_BPS_MAX
                && terms.moveSeconds >= MOVE_SECONDS_MIN && terms.moveSeconds <= MOVE_SECONDS_MAX,
            UnsoundTerms()
        );
        token = token_;
        config = config_;
        machine = machine_;
        posterBond = terms.posterBond;
        challengerBond = terms.challengerBond;
        winnerBps = terms.winnerBps;
        moveSeconds = terms.moveSeconds;
    }

    // --------------------------------------------------------------------------------------------- assertions

    /// @inheritdoc IProofDisputes
    function assertProof(Claim calldata claim) external nonReentrant returns (bytes32 assertionId) {
        Subject memory subject = _subjectOf(claim);
        bytes32 subjectHash = keccak256(abi.encode(subject));
        assertionId = deriveAssertionId(msg.sender, subjectHash, claim.traceRoot);
        require(_assertions[assertionId].status == AssertionStatus.None, AssertionExists(assertionId));
        _checkVerdict(claim);
        Assertion memory made = Assertion({
            poster: msg.sender,
            challengeUntil: uint40(block.timestamp + config.parameters().disputeWindowSeconds),
            status: AssertionStatus.Open,
            liveGames: 0,
            steps: uint24(claim.program.steps),
            traceRoot: claim.traceRoot,
            subjectHash: subjectHash
        });
        _assertions[assertionId] = made;
        emit ProofAsserted(
            assertionId, msg.sender, claim.modelId, claim.layerIndex, subject, made.traceRoot, made.steps, made.challengeUntil
        );
        emit ProofPublished(assertionId, claim.proof, claim.input0, claim.input1, claim.output);
        _take(posterBond);
    }

    /// @inheritdoc IProofDisputes
    function finalise(bytes32 assertionId) external nonReentrant {
        Assertion storage a = _open(assertionId);
        require(block.timestamp > a.challengeUntil && a.liveGames == 0, NotDecided(a.challengeUntil, a.liveGames));
        a.status = AssertionStatus.Final;
        emit ProofFinalised(assertionId);
        token.safeTransfer(a.poster, posterBond);
    }

    // -------------------------------------------------------------------------------------------------- games

    /// @inheritdoc IProofDisputes
    function challenge(bytes32 assertionId) external nonReentrant {
        Assertion storage a = _open(assertionId);
        require(block.timestamp <= a.challengeUntil, TooLateToChallenge(a.challengeUntil));
        Game storage g = _games[assertionId][msg.sender];
        require(g.phase == Phase.None, GameExists(assertionId, msg.sender));
        a.liveGames += 1;
        uint256 depth = TraceTree.depthOf(a.steps);
        g.phase = depth == 0 ? Phase.Step : Phase.Reveal;
        g.height = uint8(depth);
        g.node = a.traceRoot;
        g.moveUntil = _nextDeadline();
        emit ProofChallenged(assertionId, msg.sender, g.moveUntil);
        _take(challengerBond);
    }

    /// @inheritdoc IProofDisputes
    /// @dev Anybody may: there is only one row of nodes below a node.
    function reveal(bytes32 assertionId, address challenger, bytes32[] calldata nodes) external {
        Game storage g = _turn(assertionId, challenger, Phase.Reveal);
        require(nodes.length == 1 << _levelsBelow(g.height) && TraceTree.fold(nodes) == g.node, WrongNodes());
        g.revealed = keccak256(abi.encodePacked(nodes));
        g.phase = Phase.Choose;
        g.moveUntil = _nextDeadline();
        emit NodesRevealed(assertionId, challenger, nodes, g.moveUntil);
    }

    /// @inheritdoc IProofDisputes
    function choose(bytes32 assertionId, bytes32[] calldata nodes, uint256 position) external {
        Game storage g = _turn(assertionId, msg.sender, Phase.Choose);
        require(keccak256(abi.encodePacked(nodes)) == g.revealed, WrongNodes());
        uint256 levels = _levelsBelow(g.height);
        uint256 height = g.height - levels;
        uint256 index = (uint256(g.index) << levels) + position;
        // Leaves behind the last instruction bind nobody to anything: no game may end there.
        require(position < nodes.length && index << height < _assertions[assertionId].steps, WrongChoice());
        g.node = nodes[position];
        g.index = uint24(index);
        g.height = uint8(height);
        g.phase = height == 0 ? Phase.Step : Phase.Reveal;
        g.moveUntil = _nextDeadline();
        emit NodeChosen(assertionId, msg.sender, g.index, g.height, g.moveUntil);
    }

    /// @inheritdoc IProofDisputes
    /// @dev Anybody may: the value of an instruction does not depend on who computes it.
    function executeStep(bytes32 assertionId, address challenger, Subject calldata subject, IVerifierMachine.Step calldata step)
        external
        nonReentrant
    {
        Game storage g = _turn(assertionId, challenger, Phase.Step);
        Assertion storage a = _assertions[assertionId];
        require(keccak256(abi.encode(subject)) == a.subjectHash, WrongSubject());
        IVerifierMachine.Roots memory roots = IVerifierMachine.Roots(subject.programRoot, a.traceRoot, a.steps);
        bytes32 leaf = machine.leafOf(g.index, roots, subject.words, step);
        emit StepExecuted(assertionId, challenger, g.index, leaf);
        if (leaf == g.node) _posterWins(assertionId, challenger);
        else _challengerWins(assertionId, challenger);
    }

    /// @inheritdoc IProofDisputes
    function claimTimeout(bytes32 assertionId, address challenger) external nonReentrant {
        _open(assertionId);
        Game storage g = _games[assertionId][challenger];
        Phase phase = g.phase;
        require(phase == Phase.Reveal || phase == Phase.Choose || phase == Phase.Step, WrongPhase(phase));
        require(block.timestamp > g.moveUntil, StillTimeToMove(g.moveUntil));
        if (phase == Phase.Reveal) _challengerWins(assertionId, challenger);
        else _posterWins(assertionId, challenger);
    }

    /// @inheritdoc IProofDisputes
    /// @dev Whatever its game stood at: the assertion was wrong, as the challenger had said.
    function withdrawChallenge(bytes32 assertionId, address challenger) external nonReentrant {
        require(_assertions[assertionId].status == AssertionStatus.Refuted, AssertionNotOpen(assertionId));
        Game storage g = _games[assertionId][challenger];
        require(g.phase == Phase.Reveal || g.phase == Phase.Choose || g.phase == Phase.Step, WrongPhase(g.phase));
        _end(assertionId, challenger, Phase.Withdrawn);
        token.safeTransfer(challenger, challengerBond);
    }

    // -------------------------------------------------------------------------------------------------- reads

    /// @notice The name of an assertion.
    function deriveAssertionId(address poster, bytes32 subjectHash, bytes32 traceRoot) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), poster, subjectHash, traceRoot));
    }

    /// @notice The assertion, all zero if there is none.
    function assertion(bytes32 assertionId) external view returns (Assertion memory) {
        return _assertions[assertionId];
    }

    /// @notice The game of a challenger, all zero if there is none.
    function game(bytes32 assertionId, address challenger) external view returns (Game memory) {
        return _games[assertionId][challenger];
    }

    /// @notice Whether an assertion about exactly this subject stands.
    function isVerified(bytes32 assertionId, Subject calldata subject) external view returns (bool) {
        Assertion storage a = _assertions[assertionId];
        return a.status == AssertionStatus.Final && a.subjectHash == keccak256(abi.encode(subject));
    }

    /// @notice The words that a claim is about, as an assertion of it would compute them.
    function subjectOf(Claim calldata claim) external view returns (Subject memory) {
        return _subjectOf(claim);
    }

    // ---------------------------------------------------------------------------------------------------- own

    function _subjectOf(Claim calldata claim) private view returns (Subject memory subject) {
        subject.words[0] = _contextDigest(claim);
        subject.words[1] = _registrationDigest(claim.layerIndex, claim.specDigest, claim.weightsDigest);
        subject.words[2] = SourceBytes.digest(claim.proof);
        subject.words[3] = claim.weightsDigest;
        subject.words[4] = SourceBytes.digest(claim.input0);
        subject.words[5] = SourceBytes.digest(claim.input1);
        subject.words[6] = SourceBytes.digest(claim.output);
        subject.programRoot = claim.program.root;
        require(
            isProgramOf(claim.modelId, claim.layerIndex, subject.words[1], claim.program),
            UnregisteredProgram(claim.modelId, claim.layerIndex)
        );
    }

    // docs/spec/proofs.md, section 3, context digest
    function _contextDigest(Claim calldata claim) private view returns (bytes32) {
        return keccak256(
            bytes.concat(
                "tacit/layer-context/v1",
                abi.encode(
                    block.chainid, address(models), claim.modelId, claim.requestId, claim.nonce, claim.payee, claim.layerIndex
                )
            )
        );
    }

    // docs/spec/verifier-trace.md, section 2, registration digest
    function _registrationDigest(uint256 layerIndex, bytes32 specDigest, bytes32 weightsDigest) private pure returns (bytes32 state) {
        state = keccak256("TACIT-LAYER-v1/secp256k1/registration");
        state = keccak256(abi.encode(state, bytes32("index"), layerIndex));
        state = keccak256(abi.encode(state, bytes32("spec"), specDigest));
        state = keccak256(abi.encode(state, bytes32("points"), weightsDigest));
    }

    function _checkVerdict(Claim calldata claim) private pure {
        uint256 last = claim.program.steps - 1;
        require(
            claim.verdictPath.length == TraceTree.depthOf(claim.program.steps)
                && TraceTree.climb(TraceTree.wordLeaf(last, 1), last, claim.verdictPath) == claim.traceRoot,
            WrongVerdict()
        );
    }

    function _open(bytes32 assertionId) private view returns (Assertion storage a) {
        a = _assertions[assertionId];
        require(a.status == AssertionStatus.Open, AssertionNotOpen(assertionId));
    }

    function _turn(bytes32 assertionId, address challenger, Phase phase) private view returns (Game storage g) {
        _open(assertionId);
        g = _games[assertionId][challenger];
        require(g.phase == phase, WrongPhase(g.phase));
        require(block.timestamp <= g.moveUntil, TooLateToMove(g.moveUntil));
    }

    function _nextDeadline() private view returns (uint40) {
        return uint40(block.timestamp + moveSeconds);
    }

    function _levelsBelow(uint256 height) private pure returns (uint256) {
        return height < LEVELS_PER_REVEAL ? height : LEVELS_PER_REVEAL;
    }

    function _challengerWins(bytes32 assertionId, address challenger) private {
        _assertions[assertionId].status = AssertionStatus.Refuted;
        _end(assertionId, challenger, Phase.Won);
        emit ProofRefuted(assertionId, challenger);
        _settle(challenger, challengerBond, posterBond);
    }

    function _posterWins(bytes32 assertionId, address challenger) private {
        _end(assertionId, challenger, Phase.Lost);
        _settle(_assertions[assertionId].poster, 0, challengerBond);
    }

    function _end(bytes32 assertionId, address challenger, Phase phase) private {
        _assertions[assertionId].liveGames -= 1;
        _games[assertionId][challenger].phase = phase;
        emit GameEnded(assertionId, challenger, phase);
    }

    // The winner gets its own bond (when it is freed) and its part of the other's; the rest is nobody's.
    function _settle(address winner, uint256 ownBond, uint256 lostBond) private {
        uint256 gain = (lostBond * winnerBps) / 10_000;
        token.safeTransfer(BURN, lostBond - gain);
        token.safeTransfer(winner, ownBond + gain);
    }

    function _take(uint256 bond) private {
        uint256 held = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), bond);
        require(token.balanceOf(address(this)) == held + bond, BondIncomplete());
    }
}
