// SEAL 4.1 (node-seal) as an independent oracle: what it accepts as 128-bit parameters, and how large its errors are for the same operation.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSealContext, loadSeal } from '../bench/seal-network.ts'
import { rotation } from '../src/ckks/automorphism.ts'
import {
  type Ciphertext,
  CkksContext,
  decode,
  decryptUnsafe,
  encode,
  encryptCompact,
  Evaluator,
  expandCompact,
  generateKeyPair,
  getParameters,
  parameterSetNames,
} from '../src/index.ts'
import { random } from './fixtures.ts'

const scale = 2 ** 30
const slots = 4096
const values = Float64Array.from({ length: slots }, (_, i) => ((i * 7919) % 2000) / 1000 - 1)
const largest = (got: ArrayLike<number>, expected: (i: number) => number): number =>
  values.reduce((worst, _, i) => Math.max(worst, Math.abs((got[i] ?? Number.NaN) - expected(i))), 0)

describe('SEAL', () => {
  it('accepts every parameter set as 128-bit secure, and refuses what the table refuses', async () => {
    const seal = await loadSeal()
    const accepts = (polyDegree: number, bits: readonly number[]): boolean => {
      const parameters = new seal.EncryptionParameters(seal.SchemeType.ckks)
      parameters.setPolyModulusDegree(polyDegree)
      parameters.setCoeffModulus(seal.CoeffModulus.Create(polyDegree, Int32Array.from(bits)))
      return new seal.SEALContext(parameters, true, seal.SecLevelType.tc128).parametersSet()
    }
    for (const name of parameterSetNames) {
      const { polyDegree, coefficientModuli } = getParameters(name)
      assert.ok(accepts(polyDegree, new Array<number>(coefficientModuli.length + 2).fill(30)), name)
    }
    assert.ok(accepts(8192, [44, 44, 43, 43, 44]), '218 bits')
    assert.ok(!accepts(8192, [44, 44, 44, 43, 44]), '219 bits')
  })

  it('has errors of the same size for encryption, square and rotation at equal scale', async () => {
    const seal = await loadSeal()
    const context = new CkksContext('ckks-8192-180')
    const level = context.levels
    const needs = { galois: [{ automorphism: rotation(slots, 1), level }], relinearization: level, publicKey: 0 }
    const { secretKey, evaluationKeys } = generateKeyPair(context, needs, random)
    const evaluator = new Evaluator(context, evaluationKeys)
    const x = expandCompact(context, encryptCompact(context, secretKey, encode(context, { real: values }, scale), random), scale)
    const reveal = (ciphertext: Ciphertext): Float64Array => decode(context, decryptUnsafe(context, secretKey, ciphertext)).real
    const ours = {
      fresh: largest(reveal(x), (i) => values[i] ?? 0),
      square: largest(reveal(evaluator.rescale(evaluator.relinearize(evaluator.multiply(x, x)))), (i) => (values[i] ?? 0) ** 2),
      rotation: largest(reveal(evaluator.rotate(x, 1)), (i) => values[(i + 1) % slots] ?? 0),
    }
    const other = createSealContext(seal, { polyDegree: 8192, bits: [30, 30, 30, 30, 60] })
    const relin = other.keys.createRelinKeys()
    const galois = other.keys.createGaloisKeysWithSteps(Int32Array.from([1]))
    const secret = other.keys.secretKey()
    const [encryptor, decryptor] = [
      new seal.Encryptor(other.context, other.keys.createPublicKey(), secret),
      new seal.Decryptor(other.context, secret),
    ]
    const [plain, cipher, squared, turned] = [new seal.Plaintext(), new seal.Ciphertext(), new seal.Ciphertext(), new seal.Ciphertext()]
    other.encoder.encode(values, scale, plain)
    const bytes = encryptor.encryptSymmetricSerializable(plain).saveToArray(seal.ComprModeType.none)
    cipher.loadFromArray(other.context, bytes)
    const show = (ciphertext: typeof cipher): Float64Array => {
      decryptor.decrypt(ciphertext, plain)
      return other.encoder.decodeFloat64(plain) as Float64Array
    }
    other.evaluator.square(cipher, squared)
    other.evaluator.relinearizeInplace(squared, relin)
    other.evaluator.rescaleToNextInplace(squared)
    other.evaluator.rotateVector(cipher, 1, galois, turned)
    const theirs = {
      fresh: largest(show(cipher), (i) => values[i] ?? 0),
      square: largest(show(squared), (i) => (values[i] ?? 0) ** 2),
      rotation: largest(show(turned), (i) => values[(i + 1) % slots] ?? 0),
    }
    assert.ok(ours.fresh < 2 * theirs.fresh, JSON.stringify({ ours, theirs }))
    assert.ok(ours.square < 2 * theirs.square, JSON.stringify({ ours, theirs }))
    // Key switching differs (two special primes of 30 bits here, one of 60 there), so both are held to one bound.
    assert.ok(ours.rotation < 1e-4 && theirs.rotation < 1e-4, JSON.stringify({ ours, theirs }))
  })
})
