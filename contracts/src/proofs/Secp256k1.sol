// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Arithmetic of secp256k1 in the EVM itself, with no hint from anybody.
/// @notice `ecrecover` would be cheaper, but shows 160 bits of a point only: whoever chooses both a scalar and a false result finds
/// two points of one address with 2^80 work. One step of a dispute is worth its 150,000 gas.
/// @dev Points are affine (x, y) below P on the curve y^2 = x^3 + 7; the identity, which has no affine form, is (0, 0).
library Secp256k1 {
    /// @notice The base field.
    uint256 internal constant P = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f;
    /// @notice The order of the group, a prime.
    uint256 internal constant N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    /// @notice 2^256 modulo N.
    uint256 internal constant R256 = 0x14551231950b75fc4402da1732fc9bebf;

    /// @notice Homogeneous coordinates: x = X / Z, y = Y / Z; the identity has Z = 0.
    struct Point {
        uint256 x;
        uint256 y;
        uint256 z;
    }

    /// @notice The precompile for modular exponentiation did not answer.
    error ModularExponentiationFailed();

    /// @notice Whether (x, y) is the identity or a point of the curve, in its only form.
    function isPoint(uint256 x, uint256 y) internal pure returns (bool) {
        if (x == 0 && y == 0) return true;
        if (x >= P || y >= P) return false;
        return mulmod(y, y, P) == addmod(mulmod(x, mulmod(x, x, P), P), 7, P);
    }

    /// @notice SEC 1 decompression: the point with this x whose y is odd or even as asked, if there is one.
    function decompress(uint256 x, bool isOdd) internal view returns (bool exists, uint256 y) {
        if (x >= P) return (false, 0);
        uint256 square = addmod(mulmod(x, mulmod(x, x, P), P), 7, P);
        // P is 3 modulo 4; no point has y = 0, since the order is odd.
        y = _power(square, (P + 1) / 4, P);
        if (mulmod(y, y, P) != square) return (false, 0);
        if ((y & 1 == 1) != isOdd) y = P - y;
        return (true, y);
    }

    /// @notice (tx, ty) + scalar (px, py).
    function multiplyAdd(uint256 tx_, uint256 ty, uint256 scalar, uint256 px, uint256 py)
        internal
        view
        returns (uint256 x, uint256 y)
    {
        Point memory sum = Point(0, 1, 0);
        Point memory base = _lift(px, py);
        for (uint256 bit = 1 << 255; bit != 0; bit >>= 1) {
            _double(sum);
            if (scalar & bit != 0) _add(sum, base);
        }
        _add(sum, _lift(tx_, ty));
        return _lower(sum);
    }

    /// @notice a + b.
    function add(uint256 ax, uint256 ay, uint256 bx, uint256 by) internal view returns (uint256 x, uint256 y) {
        Point memory sum = _lift(ax, ay);
        _add(sum, _lift(bx, by));
        return _lower(sum);
    }

    /// @notice The inverse modulo the order of the group; zero for zero.
    function invertScalar(uint256 a) internal view returns (uint256) {
        return _power(a, N - 2, N);
    }

    function _lift(uint256 x, uint256 y) private pure returns (Point memory) {
        return x == 0 && y == 0 ? Point(0, 1, 0) : Point(x, y, 1);
    }

    function _lower(Point memory a) private view returns (uint256 x, uint256 y) {
        if (a.z == 0) return (0, 0);
        uint256 inverse = _power(a.z, P - 2, P);
        return (mulmod(a.x, inverse, P), mulmod(a.y, inverse, P));
    }

    // a <- a + b. Complete for every pair of points of the curve, equal, opposite and identity included: Renes, Costello and Batina,
    // "Complete addition formulas for prime order elliptic curves" (EUROCRYPT 2016, ePrint 2015/1060), Algorithm 7, with 3 b = 21
    // and with the products that it shares by Karatsuba's trick written out, which is cheaper here.
    function _add(Point memory a, Point memory b) private pure {
        unchecked {
            uint256 xx = mulmod(a.x, b.x, P);
            uint256 yy = mulmod(a.y, b.y, P);
            uint256 zz = mulmod(21, mulmod(a.z, b.z, P), P);
            uint256 xy = addmod(mulmod(a.x, b.y, P), mulmod(a.y, b.x, P), P);
            uint256 yz = addmod(mulmod(a.y, b.z, P), mulmod(a.z, b.y, P), P);
            uint256 xz = mulmod(21, addmod(mulmod(a.x, b.z, P), mulmod(a.z, b.x, P), P), P);
            uint256 plus = addmod(yy, zz, P);
            uint256 minus = addmod(yy, P - zz, P);
            xx = mulmod(3, xx, P);
            a.x = addmod(mulmod(xy, minus, P), P - mulmod(yz, xz, P), P);
            a.y = addmod(mulmod(minus, plus, P), mulmod(xz, xx, P), P);
            a.z = addmod(mulmod(plus, yz, P), mulmod(xx, xy, P), P);
        }
    }

    // a <- 2 a: Algorithm 9 of the same paper.
    function _double(Point memory a) private pure {
        unchecked {
            uint256 yy = mulmod(a.y, a.y, P);
            uint256 eight = mulmod(8, yy, P);
            uint256 zz = mulmod(21, mulmod(a.z, a.z, P), P);
            uint256 minus = addmod(yy, P - mulmod(3, zz, P), P);
            uint256 z = mulmod(eight, mulmod(a.y, a.z, P), P);
            a.x = mulmod(mulmod(2, minus, P), mulmod(a.x, a.y, P), P);
            a.y = addmod(mulmod(minus, addmod(yy, zz, P), P), mulmod(zz, eight, P), P);
            a.z = z;
        }
    }

    // base^exponent by the precompile of EIP-198.
    function _power(uint256 base, uint256 exponent, uint256 modulus) private view returns (uint256 result) {
        bool succeeded;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, 0x20)
            mstore(add(input, 0x20), 0x20)
            mstore(add(input, 0x40), 0x20)
            mstore(add(input, 0x60), base)
            mstore(add(input, 0x80), exponent)
            mstore(add(input, 0xa0), modulus)
            succeeded := staticcall(gas(), 5, input, 0xc0, input, 0x20)
            succeeded := and(succeeded, eq(returndatasize(), 0x20))
            result := mload(input)
        }
        require(succeeded, ModularExponentiationFailed());
    }
}
