// A folder in the layout of sentence-transformers, with a network small enough to be computed by hand.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type OnnxFile, tensor, writeOnnx } from '@tacit/model'
import { openEmbeddingDirectory } from '../src/node/embedding-directory.ts'
import { tinyBert } from './tiny-bert.ts'

const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'fox', 'cat', '##s', 'the']
const special = (id: number) => ({
  id,
  content: vocabulary[id],
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})
const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [0, 1, 2, 3].map(special),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] }, '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((word, i) => [word, i])),
  },
}
// Token i is the vector (i, 10 i, 100 i).
const encoder: OnnxFile = {
  name: 'encoder',
  opset: 13,
  inputs: [
    { name: 'input_ids', elementType: 'int64', shape: ['batch_size', 'sequence_length'] },
    { name: 'attention_mask', elementType: 'int64', shape: ['batch_size', 'sequence_length'] },
  ],
  outputs: [{ name: 'last_hidden_state', elementType: 'float32' }],
  initializers: {
    table: tensor(
      'float32',
      [8, 3],
      vocabulary.flatMap((_, i) => [i, 10 * i, 100 * i]),
    ),
  },
  nodes: [
    { operator: 'Gather', inputs: ['table', 'input_ids'], outputs: ['rows'] },
    { operator: 'Cast', inputs: ['attention_mask'], outputs: ['mask'], attributes: { to: { integer: 1 } } },
    { operator: 'Unsqueeze', inputs: ['mask', 'axis'], outputs: ['column'] },
    { operator: 'Mul', inputs: ['rows', 'column'], outputs: ['last_hidden_state'] },
  ],
}
const onnx = writeOnnx({ ...encoder, initializers: { ...encoder.initializers, axis: tensor('int64', [1], [2]) } })

describe('an embedding model in a folder', () => {
  let folder: string
  const write = async (files: Readonly<Record<string, Uint8Array | object>>): Promise<string> => {
    const directory = await mkdtemp(join(folder, 'model-'))
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true })
      await writeFile(join(directory, name), content instanceof Uint8Array ? content : JSON.stringify(content))
    }
    return directory
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tacit-folder-'))
  })
  after(async () => rm(folder, { recursive: true }))

  it('gives the mean of its tokens, or the first, padding left out', async () => {
    const mean = await write({ 'tokenizer.json': tokenizer, 'onnx/model.onnx': onnx })
    await using model = await openEmbeddingDirectory({ directory: mean, maxTokens: 12 })
    // [CLS] the fox ##s [SEP] is 2 7 4 6 3; an unknown word is 1.
    assert.deepEqual(await model.embed(['The FOXs', 'zebra']), [Float64Array.of(4.4, 44, 440), Float64Array.of(2, 20, 200)])
    const first = await write({
      'tokenizer.json': tokenizer,
      'model.onnx': onnx,
      '1_Pooling/config.json': { word_embedding_dimension: 3, pooling_mode_cls_token: true, pooling_mode_mean_tokens: false },
    })
    await using other = await openEmbeddingDirectory({ directory: first })
    assert.deepEqual(await other.embed(['the cat']), [Float64Array.of(2, 20, 200)])
    assert.notEqual(model.model, other.model)
    assert.match(model.model, /^onnx\/sha256:[0-9a-f]{64}\/[0-9a-f]{16}\/mean$/)
  })

  it('takes a folder with one GGUF file', async () => {
    await using model = await openEmbeddingDirectory({ directory: await write({ 'm.gguf': tinyBert(), 'README.md': Buffer.from('x') }) })
    assert.equal((await model.embed(['a fox']))[0]?.length, 32)
  })

  it('refuses by name what it cannot use, and never cuts a text', async () => {
    const good = { 'tokenizer.json': tokenizer, 'model.onnx': onnx }
    await using model = await openEmbeddingDirectory({ directory: await write(good), maxTokens: 4 })
    await assert.rejects(model.embed(['the fox the fox']), { code: 'runtime.context-exceeded' })
    await assert.rejects(model.embed(['fox'], { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
    const refusals: readonly (readonly [string, Readonly<Record<string, Uint8Array | object>>])[] = [
      ['runtime.model-not-found', {}],
      ['runtime.model-not-found', { 'model.onnx': onnx }],
      ['runtime.model-not-found', { 'a.gguf': tinyBert(), 'b.gguf': tinyBert() }],
      ['runtime.model-malformed', { ...good, 'tokenizer.json': Buffer.from('{"model"') }],
      ['runtime.model-malformed', { ...good, 'tokenizer.json': {} }],
      ['runtime.model-malformed', { ...good, '1_Pooling/config.json': { pooling_mode_max_tokens: true } }],
      ['model.malformed-onnx', { ...good, 'model.onnx': Buffer.from('nonsense') }],
      ['runtime.model-malformed', { ...good, 'model.onnx': writeOnnx(picture) }],
    ]
    for (const [code, files] of refusals)
      await assert.rejects(openEmbeddingDirectory({ directory: await write(files) }), { code }, `${code}: ${Object.keys(files).join()}`)
  })
})

describe('a hostile model folder', () => {
  const folders: string[] = []
  const make = async (): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), 'tacit-hostile-'))
    folders.push(directory)
    await writeFile(join(directory, 'model.onnx'), onnx)
    await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(tokenizer))
    return directory
  }
  after(async () => {
    for (const directory of folders) await rm(directory, { recursive: true })
  })

  it('is refused when its files are folders, endless devices or far too long', async () => {
    for (const name of ['model.onnx', 'tokenizer.json']) {
      const changes: readonly ((path: string) => Promise<unknown>)[] = [
        (path) => mkdir(path),
        (path) => symlink('/dev/zero', path),
        async (path) => {
          await writeFile(path, '')
          await truncate(path, 3 * 2 ** 30)
        },
      ]
      for (const change of changes) {
        const directory = await make()
        await rm(join(directory, name))
        await change(join(directory, name))
        await assert.rejects(openEmbeddingDirectory({ directory }), { code: 'runtime.model-malformed' })
      }
    }
  })

  it('names another space for other settings of its tokenizer, and takes no book', async () => {
    const directory = await make()
    await using plain = await openEmbeddingDirectory({ directory })
    await writeFile(join(directory, 'tokenizer_config.json'), JSON.stringify({ add_bos_token: true }))
    await using changed = await openEmbeddingDirectory({ directory })
    assert.notEqual(plain.model, changed.model)
    await assert.rejects(plain.embed(['fox '.repeat(1 << 20)]), { code: 'runtime.context-exceeded' })
  })
})

const picture: OnnxFile = {
  name: 'picture',
  opset: 13,
  inputs: [{ name: 'image', elementType: 'float32', shape: [1, 4] }],
  outputs: [{ name: 'y', elementType: 'float32', shape: [1, 4] }],
  initializers: {},
  nodes: [{ operator: 'Relu', inputs: ['image'], outputs: ['y'] }],
}
