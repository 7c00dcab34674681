// A file that a user added, as a card to publish.
import { openReferenceFile, type StoredModel } from '@tacit/runtime/node'
import { type ModelCard, parseBytes32 } from '@tacit/protocol'
import type { ZooModel } from './zoo.ts'

/** Prompt and answer together; models that could take more are served with this much, since every slot reserves it. */
const maxContextTokens = 4_096
const defaultContextTokens = 2_048

/**
 * The card of a model in a store. It says what the file itself says, and makes no promise about its answers.
 * @throws ModelNotFoundError, DigestMismatchError when the file is not the one that was added.
 */
export async function cardOfStoredModel(stored: StoredModel): Promise<ZooModel> {
  const card = stored.kind === 'gguf' ? languageCard(stored) : await tensorCard(stored)
  return { card, path: stored.file }
}

function languageCard(stored: StoredModel): ModelCard {
  return {
    ...common(stored),
    description: `A ${stored.architecture ?? 'gguf'} language model that its operator added.`,
    kind: 'language',
    format: 'gguf',
    contextTokens: Math.min(stored.contextTokens ?? defaultContextTokens, maxContextTokens),
    inputs: [],
    outputs: [],
  }
}

async function tensorCard(stored: StoredModel): Promise<ModelCard> {
  await using engine = await openReferenceFile({
    file: stored.file,
    digest: stored.digest,
    ...(stored.dimensions === undefined ? {} : { dimensions: stored.dimensions }),
  })
  return {
    ...common(stored),
    description: 'An ONNX model that its operator added.',
    kind: 'tensor',
    format: 'onnx',
    contextTokens: 0,
    inputs: engine.inputs,
    outputs: engine.outputs,
  }
}

function common({ name, digest, sizeBytes, notice }: StoredModel) {
  return {
    type: 'tacit-model-card/1',
    name,
    sizeBytes,
    commitments: { artifact: parseBytes32(`0x${digest.slice('sha256:'.length)}`), q8: null, proof: null, fhe: null },
    labels: [],
    inputDivisor: 1,
    notice: notice ?? '',
    licence: 'not stated',
  } as const
}

/** What a language model at a local Ollama is published as. The digest is the one of Ollama's manifest, as Ollama reports it. */
export function cardOfOllamaModel(model: { readonly name: string; readonly digest: string; readonly sizeBytes: number }): ModelCard {
  return {
    type: 'tacit-model-card/1',
    name: model.name.slice(0, 64),
    description: 'A language model served by an Ollama that its operator runs; the digest is the one that Ollama reports.',
    kind: 'language',
    format: 'ollama',
    sizeBytes: model.sizeBytes,
    commitments: { artifact: parseBytes32(`0x${model.digest.replace('sha256:', '')}`), q8: null, proof: null, fhe: null },
    contextTokens: maxContextTokens,
    inputs: [],
    outputs: [],
    labels: [],
    inputDivisor: 1,
    notice: '',
    licence: 'not stated',
  }
}
