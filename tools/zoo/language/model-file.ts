import { controlTokens, controlTokenTexts, type ModelShape } from './config.ts'
import { type GgufMetadata, writeGguf } from './gguf-writer.ts'
import { elementCount, tensorShapes } from './parameters.ts'
import { type Encoding, encodeTensor, encodings } from './quantise.ts'

/** Prompt and answer together: the longest window it was trained on. */
export const contextTokens = 2048

/** Writes what `documentTokens` trains on. */
export const chatTemplate: string = [
  '{{ bos_token }}',
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}",
  "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}",
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
].join('')

/** The model as a GGUF file; matrices in the encoding asked for, norms in f32. */
export function modelFile(shape: ModelShape, weights: Float32Array, encoding: Encoding, name: string): Uint8Array<ArrayBuffer> {
  let offset = 0
  const tensors = tensorShapes(shape).map((tensor) => {
    const values = weights.subarray(offset, offset + elementCount(tensor))
    offset += elementCount(tensor)
    const stored = tensor.columns === undefined ? 'f32' : encoding
    return {
      name: `${tensor.name}.weight`,
      shape: tensor.columns === undefined ? [tensor.rows] : [tensor.columns, tensor.rows],
      tensorType: encodings[stored].tensorType,
      bytes: encodeTensor(values, stored),
    }
  })
  return writeGguf(metadataOf(shape, encoding, name), tensors)
}

function metadataOf(shape: ModelShape, encoding: Encoding, name: string): ReadonlyMap<string, GgufMetadata> {
  const text = (value: string): GgufMetadata => ({ type: 'string', value })
  const count = (value: number): GgufMetadata => ({ type: 'u32', value })
  const vocabulary = tokenTexts(shape.vocabulary)
  return new Map<string, GgufMetadata>([
    ['general.architecture', text('llama')],
    ['general.name', text(name)],
    ['general.license', text('apache-2.0')],
    ['general.file_type', count(encodings[encoding].fileType)],
    ['general.quantization_version', count(2)],
    ['llama.block_count', count(shape.layers)],
    ['llama.context_length', count(contextTokens)],
    ['llama.embedding_length', count(shape.width)],
    ['llama.feed_forward_length', count(shape.feedForward)],
    ['llama.attention.head_count', count(shape.heads)],
    ['llama.attention.head_count_kv', count(shape.heads)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'f32', value: shape.normEpsilon }],
    ['llama.rope.dimension_count', count(shape.width / shape.heads)],
    ['llama.rope.freq_base', { type: 'f32', value: shape.ropeBase }],
    ['llama.vocab_size', count(shape.vocabulary)],
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text('gpt-2')],
    ['tokenizer.ggml.tokens', { type: 'strings', value: vocabulary }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: vocabulary.map((_, token) => tokenType(token)) }],
    // llama.cpp wants a merge; this one joins two unused tokens, so that every byte stays a token.
    ['tokenizer.ggml.merges', { type: 'strings', value: ['<|unused0|> <|unused1|>'] }],
    ['tokenizer.ggml.bos_token_id', count(controlTokens.beginning)],
    ['tokenizer.ggml.eos_token_id', count(controlTokens.end)],
    ['tokenizer.ggml.add_bos_token', { type: 'boolean', value: true }],
    ['tokenizer.ggml.add_eos_token', { type: 'boolean', value: false }],
    ['tokenizer.chat_template', text(chatTemplate)],
  ])
}

/** 1 normal, 3 control, 5 unused. */
function tokenType(token: number): number {
  if (token < 256) return 1
  return token < 256 + controlTokenTexts.length ? 3 : 5
}

/** GPT-2 writes each byte as one printable character: itself where it is one, else the next free one from U+0100 on. */
function tokenTexts(vocabulary: number): readonly string[] {
  let spare = 256
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(printable ? byte : spare++)
  })
  const unused = Array.from({ length: vocabulary - 256 - controlTokenTexts.length }, (_, i) => `<|unused${i}|>`)
  return [...bytes, ...controlTokenTexts, ...unused]
}
