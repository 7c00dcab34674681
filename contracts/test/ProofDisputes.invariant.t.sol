// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LayerPrograms} from "../src/LayerPrograms.sol";
import {ProofDisputes} from "../src/ProofDisputes.sol";
import {VerifierMachine} from "../src/VerifierMachine.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IProofDisputes} from "../src/interfaces/IProofDisputes.sol";
import {IVerifierMachine} from "../src/interfaces/IVerifierMachine.sol";
import {Secp256k1} from "../src/proofs/Secp256k1.sol";
import {SourceBytes} from "../src/proofs/SourceBytes.sol";
import {Network} from "./Network.sol";
import {vm} from "./Vm.sol";

/// @notice A verifier of twenty instructions, its trees, and traces that lie about one value.
abstract contract SmallVerifier {
    uint256 internal constant STEPS = 20;
    uint256 internal constant DEPTH = 5;
    uint256 internal constant WIDTH = 32;
    uint256 internal constant GOOD = 42;

    function _instruction(uint256 k) internal pure returns (bytes memory) {
        if (k == 0) return abi.encodePacked(uint8(0), uint32(0), uint32(0), uint32(0), uint256(1));
        if (k == 1) return abi.encodePacked(uint8(4), uint32(0), uint32(0), uint32(0));
        if (k == 18) return abi.encodePacked(uint8(0), uint32(0), uint32(0), uint32(0), _chain(GOOD));
        if (k == 19) return abi.encodePacked(uint8(16), uint32(0), uint32(17), uint32(18));
        return abi.encodePacked(uint8(13), uint32(k - 1), uint32(k - 1), uint32(0));
    }

    // Sixteen times x^2 + 1.
    function _chain(uint256 x) internal pure returns (uint256) {
        for (uint256 i; i < 16; ++i) {
            x = addmod(mulmod(x, x, Secp256k1.N), 1, Secp256k1.N);
        }
        return x;
    }

    // Every value of the run about `word`; from `lie` on what follows from another value there (no lie: STEPS). The verdict is 1.
    function _values(uint256 word, uint256 lie) internal pure returns (uint256[] memory v) {
        v = new uint256[](STEPS);
        for (uint256 k; k < STEPS; ++k) {
            if (k == 0) v[k] = 1;
            else if (k == 1) v[k] = word;
            else if (k == 18) v[k] = _chain(GOOD);
            else if (k == 19) v[k] = v[17] == v[18] ? v[0] : 0;
            else v[k] = addmod(mulmod(v[k - 1], v[k - 1], Secp256k1.N), v[0], Secp256k1.N);
            if (k == lie) v[k] = v[k] == 0 ? 1 : v[k] - 1;
        }
        if (lie < STEPS) v[19] = 1;
    }

    // A heap: the root at 1, the leaves from WIDTH on.
    function _tree(uint256[] memory v) internal pure returns (bytes32[] memory heap) {
        heap = new bytes32[](2 * WIDTH);
        for (uint256 k; k < STEPS; ++k) {
            heap[WIDTH + k] = keccak256(abi.encodePacked(uint8(0), uint32(k), uint8(0), v[k]));
        }
        _fill(heap);
    }

    function _programTree() internal pure returns (bytes32[] memory heap) {
        heap = new bytes32[](2 * WIDTH);
        for (uint256 k; k < STEPS; ++k) {
            heap[WIDTH + k] = keccak256(abi.encodePacked(uint8(2), uint32(k), _instruction(k)));
        }
        _fill(heap);
    }

    function _fill(bytes32[] memory heap) private pure {
        for (uint256 i = WIDTH - 1; i > 0; --i) {
            heap[i] = keccak256(abi.encodePacked(uint8(1), heap[2 * i], heap[2 * i + 1]));
        }
    }

    function _path(bytes32[] memory heap, uint256 leaf) internal pure returns (bytes32[] memory path) {
        path = new bytes32[](DEPTH);
        for (uint256 level; level < DEPTH; ++level) {
            path[level] = heap[((WIDTH + leaf) >> level) ^ 1];
        }
    }

    function _below(bytes32[] memory heap, uint256 height, uint256 index) internal pure returns (bytes32[] memory nodes) {
        uint256 levels = height < 4 ? height : 4;
        nodes = new bytes32[](1 << levels);
        for (uint256 j; j < nodes.length; ++j) {
            nodes[j] = heap[(1 << (DEPTH - height + levels)) + (index << levels) + j];
        }
    }

    function _open(uint256 k, uint256[] memory v, bytes32[] memory heap, bytes memory proof)
        internal
        pure
        returns (IVerifierMachine.Step memory step)
    {
        step.instruction = _instruction(k);
        step.instructionPath = _path(_programTree(), k);
        uint256[3] memory from = k == 19 ? [uint256(0), 17, 18] : k < 2 || k == 18 ? [uint256(0), 0, 0] : [k - 1, k - 1, 0];
        step.operands = new IVerifierMachine.Operand[](k < 2 || k == 18 ? 0 : 3);
        for (uint256 i; i < step.operands.length; ++i) {
            step.operands[i] = IVerifierMachine.Operand(v[from[i]], 0, _path(heap, from[i]));
        }
        if (k == 1) {
            step.source.length = proof.length;
            step.source.root = keccak256(proof);
            step.source.chunks = new SourceBytes.OpenedChunk[](1);
            step.source.chunks[0] = SourceBytes.OpenedChunk(proof, new bytes32[](0));
        }
    }
}

/// @notice Two who play by the rules and in time, and others who do anything.
contract DisputeHandler is Network, SmallVerifier {
    address public constant HONEST_POSTER = address(0xA11CE);
    address public constant HONEST_CHALLENGER = address(0xB0B);
    address public constant LIAR = address(0xBAD);
    uint256 internal constant LIARS = 3;
    uint256 internal constant ASSERTIONS_MAX = 6;
    uint256 public constant POSTER_BOND = 1_001;
    uint256 public constant CHALLENGER_BOND = 503;
    uint256 public constant START = 1e6;

    struct Made {
        bytes32 id;
        bool isHonest;
        bool isNoise;
        uint256 lie;
        IProofDisputes.Subject subject;
    }

    address private immutable owner = msg.sender;
    ProofDisputes public disputes;
    Made[] internal made;
    IProofDisputes.Claim internal template;
    string public violation;
    uint256 public successes;

    constructor() {
        _deployNetwork();
        IProofDisputes.Terms memory terms = IProofDisputes.Terms(uint128(POSTER_BOND), uint128(CHALLENGER_BOND), 4_321, 1 hours);
        disputes = new ProofDisputes(token, config, models, new VerifierMachine(), terms);
        for (uint256 i; i < 3 + LIARS; ++i) {
            address actor = actorAt(i);
            token.transfer(actor, START);
            vm.prank(actor);
            token.approve(address(disputes), type(uint256).max);
        }
        _publishLayer();
    }

    function actorAt(uint256 i) public pure returns (address) {
        return i == 0 ? HONEST_POSTER : i == 1 ? HONEST_CHALLENGER : i == 2 ? LIAR : address(uint160(0xBAD0 + i));
    }

    function _publishLayer() private {
        bytes32 state = keccak256("TACIT-LAYER-v1/secp256k1/registration");
        state = keccak256(abi.encode(state, bytes32("index"), uint256(0)));
        state = keccak256(abi.encode(state, bytes32("spec"), bytes32("spec")));
        state = keccak256(abi.encode(state, bytes32("points"), bytes32("weights")));
        bytes memory network = abi.encodePacked(
            "tacit/proof-network/v1", uint32(2), uint32(1), uint32(1), state, uint32(1), uint32(0), uint32(1), uint32(1)
        );
        LayerPrograms.WeightCommitments memory c = LayerPrograms.WeightCommitments("artifact", 0, keccak256(network), 0);
        IModelRegistry.Publication memory p =
            publication(keccak256(abi.encodePacked("tacit/model-root/1", c.artifact, c.q8, c.proof, c.fhe)), 0);
        vm.startPrank(MODEL_OWNER);
        template.modelId = models.publish(p);
        IProofDisputes.Program[] memory programs = new IProofDisputes.Program[](1);
        programs[0] = IProofDisputes.Program(_programTree()[1], uint32(STEPS));
        disputes.registerPrograms(template.modelId, c, network, programs);
        vm.stopPrank();
        template.specDigest = "spec";
        template.weightsDigest = "weights";
        template.program = programs[0];
        template.payee = MODEL_OWNER;
    }

    // ------------------------------------------------------------------------------------------------ assertions

    function assertHonestly() external {
        _assert(HONEST_POSTER, GOOD, STEPS, false);
    }

    function assertLie(uint256 lie) external {
        _assert(LIAR, GOOD + 1, 1 + lie % (STEPS - 1), false);
    }

    function assertNoise() external {
        _assert(LIAR, GOOD + 1, STEPS - 1, true);
    }

    function _assert(address poster, uint256 word, uint256 lie, bool isNoise) private {
        if (made.length == ASSERTIONS_MAX) return;
        IProofDisputes.Claim memory claim = template;
        claim.nonce = bytes32(made.length);
        claim.proof = abi.encode(word);
        bytes32[] memory heap = _tree(_values(word, lie));
        if (isNoise) {
            // Noise beside the way from the verdict to the root.
            for (uint256 i = WIDTH + STEPS - 1; i > 1; i >>= 1) {
                heap[i ^ 1] = keccak256(abi.encode(i));
                heap[i >> 1] = i & 1 == 1
                    ? keccak256(abi.encodePacked(uint8(1), heap[i ^ 1], heap[i]))
                    : keccak256(abi.encodePacked(uint8(1), heap[i], heap[i ^ 1]));
            }
        }
        claim.traceRoot = heap[1];
        claim.verdictPath = _path(heap, STEPS - 1);
        IProofDisputes.Subject memory subject = disputes.subjectOf(claim);
        vm.prank(poster);
        bytes32 id = disputes.assertProof(claim);
        made.push();
        Made storage m = made[made.length - 1];
        m.id = id;
        m.isHonest = poster == HONEST_POSTER;
        m.isNoise = isNoise;
        m.lie = lie;
        m.subject = subject;
        ++successes;
    }

    // ------------------------------------------------------------------------------------------- anybody's moves

    function challengeHonestly(uint256 which) external {
        (Made storage m, bool found) = _pick(which);
        if (!found || m.isHonest) return;
        vm.prank(HONEST_CHALLENGER);
        disputes.challenge(m.id);
        ++successes;
    }

    function challengeAnything(uint256 which, uint256 who) external {
        (Made storage m, bool found) = _pick(which);
        if (!found) return;
        vm.prank(actorAt(2 + who % (1 + LIARS)));
        disputes.challenge(m.id);
        ++successes;
    }

    function revealLie(uint256 which, uint256 who) external {
        (Made storage m, bool found) = _pick(which);
        if (!found || m.isHonest || m.isNoise) return;
        _reveal(m, actorAt(1 + who % (2 + LIARS)));
        ++successes;
    }

    function chooseAnything(uint256 which, uint256 who, uint256 position) external {
        (Made storage m, bool found) = _pick(which);
        if (!found || m.isNoise) return;
        address challenger = actorAt(2 + who % (1 + LIARS));
        IProofDisputes.Game memory g = disputes.game(m.id, challenger);
        bytes32[] memory nodes = _below(_treeOf(m), g.height, g.index);
        vm.prank(challenger);
        disputes.choose(m.id, nodes, position % (nodes.length + 1));
        ++successes;
    }

    function executeAnything(uint256 which, uint256 who) external {
        (Made storage m, bool found) = _pick(which);
        if (!found || m.isNoise) return;
        _execute(m, actorAt(1 + who % (2 + LIARS)));
        ++successes;
    }

    function claimAnything(uint256 which, uint256 who) external {
        (Made storage m, bool found) = _pick(which);
        if (!found) return;
        disputes.claimTimeout(m.id, actorAt(1 + who % (2 + LIARS)));
        ++successes;
    }

    function withdrawAnything(uint256 which, uint256 who) external {
        (Made storage m, bool found) = _pick(which);
        if (!found) return;
        disputes.withdrawChallenge(m.id, actorAt(1 + who % (2 + LIARS)));
        ++successes;
    }

    function finaliseAnything(uint256 which) external {
        (Made storage m, bool found) = _pick(which);
        if (!found) return;
        disputes.finalise(m.id);
        ++successes;
    }

    /// Time passes; before it does, the honest make every move that is theirs, and afterwards they end what others let lapse.
    function passTime(uint32 secondsPassed) external {
        moveHonestly();
        vm.warp(block.timestamp + (secondsPassed / 2) % (secondsPassed % 2 == 0 ? 1 hours : 30 hours));
        _endSilentGames();
    }

    function moveHonestly() public {
        for (uint256 i; i < made.length; ++i) {
            Made storage m = made[i];
            if (disputes.assertion(m.id).status != IProofDisputes.AssertionStatus.Open) continue;
            for (uint256 who = 1; who < 3 + LIARS; ++who) {
                IProofDisputes.Phase phase = disputes.game(m.id, actorAt(who)).phase;
                if (m.isHonest && phase == IProofDisputes.Phase.Reveal) _reveal(m, actorAt(who));
                if (m.isHonest && phase == IProofDisputes.Phase.Step) _execute(m, actorAt(who));
            }
            if (!m.isHonest) _playChallenger(m);
        }
    }

    function _playChallenger(Made storage m) private {
        IProofDisputes.Game memory g = disputes.game(m.id, HONEST_CHALLENGER);
        if (g.phase == IProofDisputes.Phase.Choose) {
            bytes32[] memory nodes = _below(_treeOf(m), g.height, g.index);
            bytes32[] memory own = _below(_tree(_truth()), g.height, g.index);
            uint256 position;
            while (nodes[position] == own[position]) ++position;
            vm.prank(HONEST_CHALLENGER);
            disputes.choose(m.id, nodes, position);
            g = disputes.game(m.id, HONEST_CHALLENGER);
        }
        if (g.phase == IProofDisputes.Phase.Step) _execute(m, HONEST_CHALLENGER);
    }

    function _endSilentGames() private {
        for (uint256 i; i < made.length; ++i) {
            for (uint256 who = 1; who < 3 + LIARS; ++who) {
                IProofDisputes.Game memory g = disputes.game(made[i].id, actorAt(who));
                bool isLive = g.phase > IProofDisputes.Phase.None && g.phase < IProofDisputes.Phase.Won;
                bool isOpen = disputes.assertion(made[i].id).status == IProofDisputes.AssertionStatus.Open;
                if (isLive && isOpen && block.timestamp > g.moveUntil && (made[i].isHonest || actorAt(who) == HONEST_CHALLENGER)) {
                    disputes.claimTimeout(made[i].id, actorAt(who));
                }
            }
        }
    }

    /// Whatever was left undone: silence ends every game, and nothing stays behind.
    function endEverything() external {
        require(msg.sender == owner, "not part of a campaign");
        vm.warp(block.timestamp + 40 days);
        for (uint256 i; i < made.length; ++i) {
            for (uint256 who = 1; who < 3 + LIARS; ++who) {
                try disputes.claimTimeout(made[i].id, actorAt(who)) {} catch {}
            }
            for (uint256 who = 1; who < 3 + LIARS; ++who) {
                try disputes.withdrawChallenge(made[i].id, actorAt(who)) {} catch {}
            }
            try disputes.finalise(made[i].id) {} catch {}
        }
        require(token.balanceOf(address(disputes)) == 0, "tokens are stuck");
    }

    function _reveal(Made storage m, address challenger) private {
        IProofDisputes.Game memory g = disputes.game(m.id, challenger);
        disputes.reveal(m.id, challenger, _below(_treeOf(m), g.height, g.index));
    }

    function _execute(Made storage m, address challenger) private {
        uint256[] memory v = _values(m.isHonest ? GOOD : GOOD + 1, m.lie);
        uint256 k = disputes.game(m.id, challenger).index;
        IVerifierMachine.Step memory step = _open(k, v, _tree(v), abi.encode(m.isHonest ? GOOD : GOOD + 1));
        disputes.executeStep(m.id, challenger, m.subject, step);
    }

    function _treeOf(Made storage m) private view returns (bytes32[] memory) {
        return _tree(_values(m.isHonest ? GOOD : GOOD + 1, m.lie));
    }

    function _truth() private pure returns (uint256[] memory v) {
        v = _values(GOOD + 1, STEPS);
    }

    function _pick(uint256 which) private view returns (Made storage m, bool found) {
        found = made.length > 0;
        m = made[found ? which % made.length : 0];
    }

    // ------------------------------------------------------------------------------------------------ what must hold

    function check() external view {
        uint256 held;
        uint256 burnt;
        uint256[2] memory owed; // to the honest poster, to the honest challenger
        for (uint256 i; i < made.length; ++i) {
            IProofDisputes.Assertion memory a = disputes.assertion(made[i].id);
            bool isOpen = a.status == IProofDisputes.AssertionStatus.Open;
            if (isOpen) held += POSTER_BOND;
            if (isOpen && made[i].isHonest) owed[0] += POSTER_BOND;
            if (a.status == IProofDisputes.AssertionStatus.Refuted) burnt += POSTER_BOND - (POSTER_BOND * 4_321) / 10_000;
            require(!made[i].isHonest || a.status != IProofDisputes.AssertionStatus.Refuted, "an honest poster was refuted");
            uint256 live;
            for (uint256 who = 1; who < 3 + LIARS; ++who) {
                IProofDisputes.Phase phase = disputes.game(made[i].id, actorAt(who)).phase;
                bool isLive = phase > IProofDisputes.Phase.None && phase < IProofDisputes.Phase.Won;
                if (isLive) ++live;
                if (isLive && who == 1) owed[1] += CHALLENGER_BOND;
                if (phase == IProofDisputes.Phase.Lost) {
                    burnt += CHALLENGER_BOND - (CHALLENGER_BOND * 4_321) / 10_000;
                    require(who != 1, "an honest challenger lost");
                }
                if (phase == IProofDisputes.Phase.Won) require(a.status == IProofDisputes.AssertionStatus.Refuted, "won, not refuted");
            }
            require(live == a.liveGames, "games are counted wrongly");
            held += live * CHALLENGER_BOND;
            bool wasChallenged = disputes.game(made[i].id, HONEST_CHALLENGER).phase != IProofDisputes.Phase.None;
            require(!wasChallenged || a.status != IProofDisputes.AssertionStatus.Final, "a challenged lie became final");
        }
        require(token.balanceOf(address(disputes)) == held, "bonds and balance differ");
        require(token.balanceOf(disputes.BURN()) == burnt, "burnt something else");
        require(token.balanceOf(HONEST_POSTER) + owed[0] >= START, "an honest poster lost tokens");
        require(token.balanceOf(HONEST_CHALLENGER) + owed[1] >= START, "an honest challenger lost tokens");
        uint256 all = held + burnt;
        for (uint256 i; i < 3 + LIARS; ++i) {
            all += token.balanceOf(actorAt(i));
        }
        require(all == (3 + LIARS) * START, "tokens appeared or vanished");
    }
}

contract ProofDisputesInvariantTest {
    DisputeHandler internal handler;

    function setUp() public {
        handler = new DisputeHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// One campaign for all of them: each is checked after every call.
    function invariant_tokens_are_conserved_and_the_honest_never_lose() public view {
        handler.check();
    }

    /// Runs after every campaign.
    function afterInvariant() public {
        handler.endEverything();
    }

    /// The handler can do what it is there for: a lie refuted by the honest challenger, a liar's game lost to the honest poster.
    function test_the_campaign_reaches_both_ends() public {
        handler.assertLie(7);
        handler.challengeHonestly(0);
        handler.revealLie(0, 0);
        handler.moveHonestly();
        handler.revealLie(0, 0);
        handler.moveHonestly();
        ProofDisputes disputes = handler.disputes();
        require(disputes.token().balanceOf(handler.HONEST_CHALLENGER()) > handler.START(), "refuted");
        handler.assertHonestly();
        handler.challengeAnything(1, 1);
        handler.moveHonestly();
        handler.chooseAnything(1, 1, 1);
        handler.moveHonestly();
        handler.chooseAnything(1, 1, 1);
        handler.moveHonestly();
        handler.passTime(2 hours);
        require(
            disputes.token().balanceOf(handler.HONEST_POSTER()) > handler.START() - handler.POSTER_BOND(), "won"
        );
        handler.check();
    }
}
