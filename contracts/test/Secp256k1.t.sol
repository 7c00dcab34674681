// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Secp256k1} from "../src/proofs/Secp256k1.sol";
import {vm} from "./Vm.sol";

/// @notice Curve arithmetic against the precompile, which nobody here wrote: the address of s P by ecrecover.
contract Secp256k1Test {
    uint256 private constant P = Secp256k1.P;
    uint256 private constant N = Secp256k1.N;
    uint256 private constant GX = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798;
    uint256 private constant GY = 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8;

    function testFuzz_scalar_multiplication_agrees_with_ecrecover(uint256 a, uint256 s) public view {
        a = a % (N - 1) + 1;
        s %= N;
        (uint256 px, uint256 py) = Secp256k1.multiplyAdd(0, 0, a, GX, GY);
        require(_addressOf(px, py) == vm.addr(a), "a G");
        (uint256 x, uint256 y) = Secp256k1.multiplyAdd(0, 0, s, px, py);
        require(Secp256k1.isPoint(x, y), "on the curve");
        if (s == 0) require(x == 0 && y == 0, "identity");
        else require(_addressOf(x, y) == ecrecover(0, py % 2 == 0 ? 27 : 28, bytes32(px), bytes32(mulmod(s, px, N))), "s P");
    }

    function testFuzz_multiply_add_is_linear(uint256 a, uint256 b, uint256 s) public view {
        (a, b, s) = (a % N, b % N, s % N);
        (uint256 tx_, uint256 ty) = Secp256k1.multiplyAdd(0, 0, a, GX, GY);
        (uint256 px, uint256 py) = Secp256k1.multiplyAdd(0, 0, b, GX, GY);
        (uint256 x, uint256 y) = Secp256k1.multiplyAdd(tx_, ty, s, px, py);
        (uint256 ex, uint256 ey) = Secp256k1.multiplyAdd(0, 0, addmod(a, mulmod(s, b, N), N), GX, GY);
        require(x == ex && y == ey, "a G + s (b G) = (a + s b) G");
    }

    function test_every_edge_of_an_addition() public view {
        (uint256 px, uint256 py) = Secp256k1.multiplyAdd(0, 0, 0xdecaf, GX, GY);
        _expect(0, 0, 5, 0, 0, 0, 0); // identity + s identity
        _expect(px, py, 0, GX, GY, px, py); // s = 0
        _expect(px, py, 7, 0, 0, px, py); // P = identity
        _expect(0, 0, 1, px, py, px, py); // T = identity
        _expect(px, P - py, 1, px, py, 0, 0); // T = -s P
        _expect(px, py, N - 1, px, py, 0, 0); // the same by the scalar
        (uint256 dx, uint256 dy) = Secp256k1.multiplyAdd(0, 0, 2 * 0xdecaf, GX, GY);
        _expect(px, py, 1, px, py, dx, dy); // T = s P: doubling
        (uint256 x, uint256 y) = Secp256k1.add(px, py, px, py);
        require(x == dx && y == dy, "add doubles");
        (x, y) = Secp256k1.add(px, py, px, P - py);
        require(x == 0 && y == 0, "add cancels");
        (x, y) = Secp256k1.add(0, 0, px, py);
        require(x == px && y == py, "add of the identity");
    }

    function test_a_base_whose_x_is_not_below_the_order() public view {
        // ecrecover could not take such a point: its r must be below N.
        uint256 x = N;
        bool found;
        uint256 y;
        while (!found) (found, y) = Secp256k1.decompress(++x, false);
        require(x > N && x < P, "between order and field");
        (uint256 ax, uint256 ay) = Secp256k1.multiplyAdd(0, 0, N - 1, x, y);
        require(ax == x && ay == P - y, "-P");
        (ax, ay) = Secp256k1.multiplyAdd(x, y, N - 1, x, y);
        require(ax == 0 && ay == 0, "P - P");
    }

    function testFuzz_decompression(uint256 x, bool isOdd) public view {
        (bool exists, uint256 y) = Secp256k1.decompress(x, isOdd);
        if (!exists) {
            require(y == 0, "nothing");
            return;
        }
        require(x < P && Secp256k1.isPoint(x, y) && (y % 2 == 1) == isOdd, "the point asked for");
    }

    function test_no_other_form_is_a_point() public view {
        require(Secp256k1.isPoint(GX, GY) && Secp256k1.isPoint(0, 0), "points");
        require(!Secp256k1.isPoint(GX, GY + 1) && !Secp256k1.isPoint(0, 1), "off the curve");
        (bool exists, uint256 y) = Secp256k1.decompress(1, false);
        require(exists && Secp256k1.isPoint(1, y) && !Secp256k1.isPoint(P + 1, y), "x is below P");
        (exists,) = Secp256k1.decompress(P, false);
        require(!exists, "x = P");
        (exists,) = Secp256k1.decompress(P + 1, false);
        require(!exists, "x above P");
        (exists,) = Secp256k1.decompress(5, false);
        require(!exists, "125 + 7 is no square");
    }

    function test_gas_of_one_step_is_bounded() public view {
        uint256 before = gasleft();
        Secp256k1.multiplyAdd(GX, GY, type(uint256).max, GX, GY);
        require(before - gasleft() < 350_000, "dearest scalar");
    }

    function _expect(uint256 tx_, uint256 ty, uint256 s, uint256 px, uint256 py, uint256 ex, uint256 ey) private view {
        (uint256 x, uint256 y) = Secp256k1.multiplyAdd(tx_, ty, s, px, py);
        require(x == ex && y == ey, "edge");
    }

    function _addressOf(uint256 x, uint256 y) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(x, y)))));
    }
}
