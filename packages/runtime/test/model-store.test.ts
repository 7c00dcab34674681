import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { writeOnnx } from '@tacit/model'
import type { RuntimeError } from '../src/errors.ts'
import { openModelStore } from '../src/node/model-store.ts'
import { openReferenceFile } from '../src/node/onnx-file.ts'
import { languageCard, zooFile } from './language-zoo.ts'
import { doublingNetwork } from './onnx-fixture.ts'

const root = mkdtempSync(join(tmpdir(), 'tacit-store-'))
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0
const newStore = () => openModelStore(join(root, `store-${count++}`))

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    (error as RuntimeError).code === code

describe('the model store', () => {
  it('keeps a private, read-only copy under the digest of its bytes, and finds it by name and digest', async () => {
    const store = await newStore()
    const source = join(root, 'My model (1).gguf')
    copyFileSync(zooFile('q4_0'), source)
    const added = await store.add(source, { notice: languageCard.notice })
    assert.equal(added.notice, languageCard.notice)
    assert.equal(added.digest, `sha256:${languageCard.files.find(({ name }) => name === 'babble-q4_0')?.sha256}`)
    assert.equal(added.name, 'My-model-1-')
    assert.equal(added.architecture, 'llama')
    assert.equal(added.contextTokens, languageCard.architecture.contextTokens)
    writeFileSync(source, 'overwritten')
    assert.deepEqual(readFileSync(added.file), readFileSync(zooFile('q4_0')))
    assert.equal(statSync(added.file).mode & 0o777, 0o400)
    assert.deepEqual(await store.resolve(added.name), added)
    assert.deepEqual(await store.resolve(added.digest), added)
    assert.deepEqual(await store.list(), [added])
  })

  it('adds ONNX files that the reference engine opens by their digest', async () => {
    const store = await newStore()
    const source = join(root, 'double.onnx')
    writeFileSync(source, writeOnnx(doublingNetwork))
    const { file, digest, kind } = await store.add(source, { name: 'double' })
    assert.equal(kind, 'onnx')
    await using engine = await openReferenceFile({ file, digest })
    assert.equal(engine.modelDigest, digest)
    await assert.rejects(openReferenceFile({ file: zooFile('q4_0'), digest }), hasCode('runtime.digest-mismatch'))
    await assert.rejects(openReferenceFile({ file: join(root, 'nowhere.onnx') }), hasCode('runtime.model-not-found'))
  })

  it('is idempotent, links on request, never moves a name, and forgets', async () => {
    const store = await newStore()
    const first = await store.add(zooFile('q8_0'), { name: 'babble' })
    assert.deepEqual(await store.add(zooFile('q8_0'), { name: 'other' }), first)
    await assert.rejects(store.add(zooFile('q4_0'), { name: 'babble' }), hasCode('runtime.model-name-taken'))
    const linked = await store.add(zooFile('f16'), { keep: 'link' })
    assert.equal(linked.file, zooFile('f16'))
    assert.deepEqual(
      (await store.list()).map(({ name }) => name),
      ['babble', 'babble-f16'],
    )
    await store.remove('babble')
    await store.remove(linked.digest)
    assert.ok(statSync(zooFile('f16')).size > 0)
    await assert.rejects(store.resolve('babble'), hasCode('runtime.model-not-found'))
    assert.deepEqual(await store.list(), [])
  })

  it('refuses a file that is not what its name says, and leaves nothing behind', async () => {
    const folder = join(root, 'refusals')
    const store = await openModelStore(folder)
    const write = (name: string, bytes: Uint8Array | string): string => {
      writeFileSync(join(root, name), bytes)
      return join(root, name)
    }
    const gguf = readFileSync(zooFile('q4_0'))
    for (const [file, code] of [
      [write('page.gguf', '<html>404</html>'), 'runtime.model-malformed'],
      [write('cut.gguf', gguf.subarray(0, 20_000)), 'runtime.model-malformed'],
      [write('empty.gguf', ''), 'runtime.model-malformed'],
      [write('swapped.onnx', gguf), 'model.malformed-onnx'],
      [write('model.bin', gguf), 'runtime.model-malformed'],
      [join(root, 'absent.gguf'), 'runtime.model-not-found'],
    ] as const) {
      await assert.rejects(store.add(file), hasCode(code), file)
    }
    await assert.rejects(store.add(zooFile('q4_0'), { name: '../escape' }), hasCode('runtime.model-malformed'))
    assert.deepEqual(readdirSync(folder), [])
  })

  it('ignores a damaged description instead of failing', async () => {
    const folder = join(root, 'damaged')
    const store = await openModelStore(folder)
    const { digest } = await store.add(zooFile('q4_0'))
    writeFileSync(join(folder, `${digest.slice(7)}.json`), '{"name":')
    assert.deepEqual(await store.list(), [])
    assert.equal((await store.add(zooFile('q4_0'))).digest, digest)
    assert.equal((await store.list()).length, 1)
  })
})
