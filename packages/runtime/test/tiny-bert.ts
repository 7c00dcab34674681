// A BERT of random weights with mean pooling, small enough to be made in a test: the architecture of GGUF embedding models, not their knowledge.
import { writeGguf, type GgufMetadata, type GgufTensorData } from '../../../tools/zoo/language/gguf-writer.ts'

const width = 32
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...'abcdefghijklmnopqrstuvwxyz'.split('')]
// llama.cpp marks the start of a word with U+2581 and leaves continuations bare, as its converter does for BERT.
const tokens = words.flatMap((word, i) => (i < 5 ? [word] : [`\u2581${word}`, word]))
const contextTokens = 64

/** The bytes of the model file. */
export function tinyBert(pooling: 'mean' | 'first' = 'mean'): Uint8Array {
  const metadata = new Map<string, GgufMetadata>([
    ['general.architecture', { type: 'string', value: 'bert' }],
    ['bert.context_length', { type: 'u32', value: contextTokens }],
    ['bert.embedding_length', { type: 'u32', value: width }],
    ['bert.feed_forward_length', { type: 'u32', value: 64 }],
    ['bert.block_count', { type: 'u32', value: 2 }],
    ['bert.attention.head_count', { type: 'u32', value: 4 }],
    ['bert.attention.layer_norm_epsilon', { type: 'f32', value: 1e-12 }],
    ['bert.attention.causal', { type: 'boolean', value: false }],
    ['bert.pooling_type', { type: 'u32', value: pooling === 'mean' ? 1 : 2 }],
    ['tokenizer.ggml.model', { type: 'string', value: 'bert' }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokens }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: tokens.map((_, i) => (i < 5 ? 3 : 1)) }],
    ['tokenizer.ggml.token_type_count', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.padding_token_id', { type: 'u32', value: 0 }],
    ['tokenizer.ggml.unknown_token_id', { type: 'u32', value: 1 }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.seperator_token_id', { type: 'u32', value: 3 }],
    ['tokenizer.ggml.mask_token_id', { type: 'u32', value: 4 }],
  ])
  return writeGguf(metadata, tensors())
}

function tensors(): readonly GgufTensorData[] {
  let state = 7
  const random = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 2 ** 32 - 0.5
  }
  const tensor = (name: string, ...shape: readonly number[]): GgufTensorData => {
    const count = shape.reduce((a, b) => a * b, 1)
    const values = Float32Array.from({ length: count }, () => (name.endsWith('norm.weight') ? 1 : random() / 2))
    return { name, shape, tensorType: 0, bytes: new Uint8Array(values.buffer) }
  }
  const norm = (name: string) => [tensor(`${name}.weight`, width), tensor(`${name}.bias`, width)]
  const linear = (name: string, inner: number, outer: number) => [tensor(`${name}.weight`, inner, outer), tensor(`${name}.bias`, outer)]
  return [
    tensor('token_embd.weight', width, tokens.length),
    tensor('token_types.weight', width, 2),
    tensor('position_embd.weight', width, contextTokens),
    ...norm('token_embd_norm'),
    ...[0, 1].flatMap((block) => [
      ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].flatMap((name) => linear(`blk.${block}.${name}`, width, width)),
      ...norm(`blk.${block}.attn_output_norm`),
      ...linear(`blk.${block}.ffn_up`, width, 64),
      ...linear(`blk.${block}.ffn_down`, 64, width),
      ...norm(`blk.${block}.layer_output_norm`),
    ]),
  ]
}
