// The same networks in SEAL 4.1 (node-seal 7), with the best circuit we know for its interface: diagonals by baby and giant steps,
// single rotations for the sums (there is no hoisting), symmetric seeded ciphertexts and keys, zstd on the way.
import SEAL, { type Ciphertext, type GaloisKeys, type Plaintext } from 'node-seal'
import type { DenseLayer, SquareNetwork } from '../src/index.ts'

type Seal = Awaited<ReturnType<typeof SEAL>>

export type SealSettings = {
  readonly polyDegree: number
  readonly bits: readonly number[]
  readonly scaleBits: number
  /** Baby steps of the first layer. */
  readonly babySteps: number
}

export type SealNetwork = {
  readonly encrypt: (input: ArrayLike<number>) => Uint8Array
  readonly evaluate: (request: Uint8Array) => Uint8Array
  readonly decrypt: (response: Uint8Array) => Float64Array
  readonly keyBytes: number
}

let loaded: Promise<Seal> | undefined
export const loadSeal = (): Promise<Seal> => (loaded ??= SEAL())

const powerOfTwo = (count: number): number => 2 ** Math.ceil(Math.log2(count))
const weightOf = ({ inputs, outputs, weights }: DenseLayer, row: number, column: number): number =>
  row < outputs && column < inputs ? (weights[row * inputs + column] ?? 0) : 0

export function createSealContext(seal: Seal, { polyDegree, bits }: Pick<SealSettings, 'polyDegree' | 'bits'>) {
  const parameters = new seal.EncryptionParameters(seal.SchemeType.ckks)
  parameters.setPolyModulusDegree(polyDegree)
  parameters.setCoeffModulus(seal.CoeffModulus.Create(polyDegree, Int32Array.from(bits)))
  const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc128)
  return { context, evaluator: new seal.Evaluator(context), encoder: new seal.CKKSEncoder(context), keys: new seal.KeyGenerator(context) }
}

export async function createSealNetwork(network: SquareNetwork, settings: SealSettings): Promise<SealNetwork> {
  const seal = await loadSeal()
  const { context, evaluator, encoder, keys } = createSealContext(seal, settings)
  const slots = settings.polyDegree / 2
  const scale = 2 ** settings.scaleBits
  const [first, ...rest] = network.layers as readonly [DenseLayer, ...DenseLayer[]]
  const rows = powerOfTwo(first.outputs)
  const columns = powerOfTwo(first.inputs)
  const shift = (columns * rows) / slots
  const column = (slot: number): number => ((slot % columns) + shift * Math.floor(slot / columns)) % columns
  const doublings = (from: number, to: number): number[] => Array.from({ length: Math.log2(to / from) }, (_, k) => from * 2 ** k)
  const baby = settings.babySteps
  const spread = rest.length === 2 ? 4 : 0
  const steps = new Set<number>([
    ...Array.from({ length: baby - 1 }, (_, k) => k + 1),
    ...Array.from({ length: shift / baby - 1 }, (_, k) => (k + 1) * baby),
    ...doublings(rows, slots),
    ...doublings(1, rows),
    ...(spread ? [-1, -2, -3, -4, -8] : []),
  ])
  const galoisBytes = keys.createGaloisKeysSerializableWithSteps(Int32Array.from(steps)).saveToArray(seal.ComprModeType.zstd) as Uint8Array
  const relinBytes = keys.createRelinKeysSerializable().saveToArray(seal.ComprModeType.zstd) as Uint8Array
  const galois: GaloisKeys = new seal.GaloisKeys()
  const relin = new seal.RelinKeys()
  galois.loadFromArray(context, galoisBytes)
  relin.loadFromArray(context, relinBytes)
  const secret = keys.secretKey()
  const encryptor = new seal.Encryptor(context, keys.createPublicKey(), secret)
  const decryptor = new seal.Decryptor(context, secret)

  const encode = (values: Float64Array, at: number, like?: Ciphertext): Plaintext => {
    const plain = new seal.Plaintext()
    encoder.encode(values, at, plain)
    if (like !== undefined) evaluator.plainModSwitchToInplace(plain, like.parmsId())
    return plain
  }
  const vector = (value: (slot: number) => number): Float64Array => Float64Array.from({ length: slots }, (_, s) => value(s))
  const memo = new Map<string, Plaintext>()
  const remembered = (name: string, make: () => Plaintext): Plaintext => {
    const plain = memo.get(name) ?? make()
    memo.set(name, plain)
    return plain
  }
  const rotateSum = (sum: Ciphertext, by: readonly number[]): void => {
    const turned = new seal.Ciphertext()
    for (const step of by) {
      evaluator.rotateVector(sum, step, galois, turned)
      evaluator.addInplace(sum, turned)
    }
    turned.delete()
  }
  /** sum over k of rotate(x, sign k) * diagonal_k, by baby and giant steps. */
  const matrix = (
    x: Ciphertext,
    name: string,
    count: number,
    babySteps: number,
    sign: 1 | -1,
    diagonal: (k: number, s: number) => number,
  ): Ciphertext => {
    const babies = [x]
    for (let b = 1; b < Math.min(babySteps, count); b++) {
      const turned = new seal.Ciphertext()
      evaluator.rotateVector(x, sign * b, galois, turned)
      babies.push(turned)
    }
    let total: Ciphertext | undefined
    const product = new seal.Ciphertext()
    for (let giant = 0; giant < count; giant += babySteps) {
      const inner = new seal.Ciphertext()
      babies.forEach((value, b) => {
        if (giant + b >= count) return
        const back = (s: number): number => (((s - sign * giant) % slots) + slots) % slots
        const plain = remembered(`${name}${giant + b}`, () =>
          encode(
            vector((s) => diagonal(giant + b, back(s))),
            scale,
            x,
          ),
        )
        evaluator.multiplyPlain(value, plain, b === 0 ? inner : product)
        if (b > 0) evaluator.addInplace(inner, product)
      })
      if (giant > 0) evaluator.rotateVectorInplace(inner, sign * giant, galois)
      if (total === undefined) total = inner
      else {
        evaluator.addInplace(total, inner)
        inner.delete()
      }
    }
    product.delete()
    for (const turned of babies.slice(1)) turned.delete()
    evaluator.rescaleToNextInplace(total as Ciphertext)
    return total as Ciphertext
  }
  const addBias = (sum: Ciphertext, name: string, value: (slot: number) => number): void =>
    evaluator.addPlainInplace(
      sum,
      remembered(name, () => encode(vector(value), sum.scale(), sum)),
    )
  const square = (x: Ciphertext): void => {
    evaluator.squareInplace(x)
    evaluator.relinearizeInplace(x, relin)
    evaluator.rescaleToNextInplace(x)
  }
  /** From a vector repeated with `period` to output o at slot o * period. */
  const comb = (x: Ciphertext, name: string, layer: DenseLayer, period: number): void => {
    const plain = remembered(name, () =>
      encode(
        vector((s) => weightOf(layer, Math.floor(s / period), s % period)),
        scale,
        x,
      ),
    )
    evaluator.multiplyPlainInplace(x, plain)
    evaluator.rescaleToNextInplace(x)
    rotateSum(x, doublings(1, period).reverse())
    addBias(x, `${name}bias`, (s) => (s % period === 0 ? (layer.bias[s / period] ?? 0) : 0))
  }
  const evaluate = (request: Uint8Array): Uint8Array => {
    const x = new seal.Ciphertext()
    x.loadFromArray(context, request)
    const sum = matrix(x, 'first', shift, baby, 1, (k, s) => weightOf(first, s % rows, column((s + k) % slots)))
    rotateSum(sum, doublings(rows, slots).reverse())
    addBias(sum, 'firstBias', (s) => first.bias[s % rows] ?? 0)
    square(sum)
    const [second, third] = rest
    if (second === undefined) throw new RangeError('at least two layers')
    comb(sum, 'second', second, rows)
    let out = sum
    if (third !== undefined) {
      square(sum)
      // Output k lands in slot k: input o sits at slot o * rows, and rotating by -k brings it to o * rows + k.
      out = matrix(sum, 'third', third.outputs, spread, -1, (k, s) => (s % rows === k ? weightOf(third, k, Math.floor(s / rows)) : 0))
      rotateSum(out, doublings(rows, slots).reverse())
      addBias(out, 'thirdBias', (s) => third.bias[s] ?? 0)
      sum.delete()
    }
    const bytes = out.saveToArray(seal.ComprModeType.none) as Uint8Array
    out.delete()
    x.delete()
    return bytes
  }
  return {
    encrypt: (input) => {
      const plain = encode(
        vector((s) => input[column(s)] ?? 0),
        scale,
      )
      const bytes = encryptor.encryptSymmetricSerializable(plain).saveToArray(seal.ComprModeType.zstd) as Uint8Array
      plain.delete()
      return bytes
    },
    evaluate,
    decrypt: (response) => {
      const [cipher, plain] = [new seal.Ciphertext(), new seal.Plaintext()]
      cipher.loadFromArray(context, response)
      decryptor.decrypt(cipher, plain)
      const values = encoder.decodeFloat64(plain) as Float64Array
      cipher.delete()
      plain.delete()
      const outputs = network.layers.at(-1)?.outputs ?? 0
      return Float64Array.from({ length: outputs }, (_, o) => values[rest.length === 2 ? o : o * rows] ?? Number.NaN)
    },
    keyBytes: galoisBytes.length + relinBytes.length,
  }
}
