// The same scores with slot-packed BFV in SEAL 4.1 (node-seal 7): 8192 rows per ciphertext, diagonals by baby and giant steps over 128
// dimensions at a time, rotations of the query shared between blocks. Keys stay at the solver.
import SEAL, { type Ciphertext, type Plaintext } from 'node-seal'

const degree = 8192
const slots = degree / 2
const group = 128
const baby = 16

export async function scoreWithSeal(table: Int8Array, dimensions: number, report: (line: string) => void) {
  const seal = await SEAL()
  const parameters = new seal.EncryptionParameters(seal.SchemeType.bfv)
  parameters.setPolyModulusDegree(degree)
  parameters.setCoeffModulus(seal.CoeffModulus.Create(degree, Int32Array.from([50, 50, 55])))
  parameters.setPlainModulus(seal.PlainModulus.Batching(degree, 25))
  const context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc128)
  const [evaluator, encoder, keys] = [new seal.Evaluator(context), new seal.BatchEncoder(context), new seal.KeyGenerator(context)]
  const steps = [
    ...Array.from({ length: baby - 1 }, (_, b) => b + 1),
    ...Array.from({ length: group / baby - 1 }, (_, g) => (g + 1) * baby),
  ]
  const galois = keys.createGaloisKeysWithSteps(Int32Array.from(steps))
  const secret = keys.secretKey()
  const [encryptor, decryptor] = [new seal.Encryptor(context, keys.createPublicKey(), secret), new seal.Decryptor(context, secret)]
  const count = table.length / dimensions
  const blocks = Math.ceil(count / degree)
  const groups = dimensions / group
  const first = context.firstParmsId()
  const plains: Plaintext[][] = Array.from({ length: blocks }, (_, block) =>
    Array.from({ length: groups * group }, (_, index) => {
      const [k, i] = [Math.floor(index / group), index % group]
      const giant = Math.floor(i / baby) * baby
      const values = new BigInt64Array(degree)
      for (let half = 0; half < 2; half++) {
        for (let j = 0; j < slots; j++) {
          const source = (j - giant + slots) % slots
          const row = block * degree + half * slots + source
          values[half * slots + j] = BigInt(table[row * dimensions + group * k + ((source + i) % group)] ?? 0)
        }
      }
      const plain = new seal.Plaintext()
      encoder.encode(values, plain)
      evaluator.plainTransformToNttInplace(plain, first)
      return plain
    }),
  )
  const intent = Int8Array.from({ length: dimensions }, (_, i) => ((i * 37) % 103) - 51)
  const queries = Array.from({ length: groups }, (_, k) => {
    const plain = new seal.Plaintext()
    encoder.encode(
      BigInt64Array.from({ length: degree }, (_, j) => BigInt(intent[group * k + (j % group)] ?? 0)),
      plain,
    )
    return encryptor.encryptSymmetricSerializable(plain).saveToArray(seal.ComprModeType.zstd) as Uint8Array
  })
  const answer = (): readonly Uint8Array[] => {
    const turned = queries.map((bytes) => {
      const query = new seal.Ciphertext()
      query.loadFromArray(context, bytes)
      return Array.from({ length: baby }, (_, b) => {
        const image = new seal.Ciphertext()
        if (b === 0) image.assign(query)
        else evaluator.rotateRows(query, b, galois, image)
        evaluator.cipherTransformToNttInplace(image)
        return image
      })
    })
    const product = new seal.Ciphertext()
    const outputs = plains.map((block) => {
      let total: Ciphertext | undefined
      for (let giant = 0; giant < group; giant += baby) {
        const inner = new seal.Ciphertext()
        turned.forEach((images, k) =>
          images.forEach((image, b) => {
            const plain = block[k * group + giant + b]
            if (plain === undefined) throw new RangeError('no diagonal')
            evaluator.multiplyPlain(image, plain, k === 0 && b === 0 ? inner : product)
            if (k > 0 || b > 0) evaluator.addInplace(inner, product)
          }),
        )
        evaluator.cipherTransformFromNttInplace(inner)
        if (giant > 0) evaluator.rotateRowsInplace(inner, giant, galois)
        if (total === undefined) total = inner
        else {
          evaluator.addInplace(total, inner)
          inner.delete()
        }
      }
      if (total === undefined) throw new RangeError('no block')
      evaluator.cipherModSwitchToNextInplace(total)
      const bytes = total.saveToArray(seal.ComprModeType.zstd) as Uint8Array
      total.delete()
      return bytes
    })
    for (const image of turned.flat()) image.delete()
    product.delete()
    return outputs
  }
  const times: number[] = []
  let outputs: readonly Uint8Array[] = []
  for (let i = 0; i < 3; i++) {
    const start = process.cpuUsage()
    outputs = answer()
    const used = process.cpuUsage(start)
    times.push((used.user + used.system) / 1000)
  }
  let exact = 0
  outputs.forEach((bytes, block) => {
    const [cipher, plain] = [new seal.Ciphertext(), new seal.Plaintext()]
    cipher.loadFromArray(context, bytes)
    decryptor.decrypt(cipher, plain)
    const values = encoder.decodeBigInt64(plain) as BigInt64Array
    for (let i = 0; i < degree && block * degree + i < count; i++) {
      const row = (block * degree + i) * dimensions
      let score = 0
      for (let j = 0; j < dimensions; j++) score += (table[row + j] ?? 0) * (intent[j] ?? 0)
      if (Number(values[i]) === score) exact++
    }
  })
  const ms = times.sort((a, b) => a - b)[1] ?? Number.NaN
  report(`SEAL BFV: ${ms.toFixed(0)} ms for ${blocks} blocks of ${degree}, ${exact} of ${count} scores exact`)
  return { ms, exactFraction: exact / count }
}
