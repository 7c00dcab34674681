// Which published models this machine could serve: it must have the very bytes that the registry committed to.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { deriveModelId, fetchModel, type TransactionSender } from '@tacit/chain'
import type { ListedModel, NetworkDescription } from '@tacit/client'
import { fetchJson } from '@tacit/network'
import { cardOfOllamaModel, cardOfStoredModel, loadZoo, type ModelConfig, publishCard } from '@tacit/node/node'
import { cardHash, type ModelCard, modelRoot } from '@tacit/protocol'
import { detectOllama, openModelStore } from '@tacit/runtime/node'

/** A model on this machine, as it is or could be published. */
export type LocalModel = { readonly card: ModelCard; readonly source: ModelConfig['source'] }

/** Everything this machine has: the zoo, what was added, what a local Ollama offers. Nothing leaves the machine for this. */
export async function findLocalModels(
  dataDir: string,
  signal: AbortSignal,
): Promise<{ readonly files: readonly LocalModel[]; readonly ollama: readonly LocalModel[]; readonly ollamaAddress: string | undefined }> {
  const folder = join(dataDir, 'models')
  const stored = existsSync(folder) ? await (await openModelStore(folder)).list() : []
  const added = await Promise.all(stored.map(cardOfStoredModel))
  const found = await detectOllama({ host: process.env['OLLAMA_HOST'], signal })
  return {
    files: [...loadZoo(), ...added].map(({ card, path }) => ({ card, source: { kind: 'file', path } })),
    ollama: (found?.models ?? [])
      // A model that Ollama forwards to a server of its makers would show them the prompts.
      .filter(({ remote }) => !remote)
      .map((model) => ({
        card: cardOfOllamaModel(model),
        source: { kind: 'ollama', model: model.name, ...(found === undefined ? {} : { address: found.address }) },
      })),
    ollamaAddress: found?.address,
  }
}

/** Published models whose bytes lie here. */
export function matchPublished(published: readonly ListedModel[], local: readonly LocalModel[]): readonly ModelConfig[] {
  return published.flatMap(({ id, card }) => {
    if (card === null) return []
    const found = local.find((model) => model.card.format === card.format && model.card.commitments.artifact === card.commitments.artifact)
    return found === undefined ? [] : [{ id, card, source: found.source }]
  })
}

/**
 * A model of one's own, published under the sender's account, with its card shown by the dispatcher.
 * @returns undefined when it is not published and `publish` does not say to.
 */
export async function offerModel(
  owner: TransactionSender,
  network: NetworkDescription,
  model: LocalModel,
  { publish, signal }: { readonly publish: boolean; readonly signal: AbortSignal },
): Promise<ModelConfig | undefined> {
  const { card, source } = model
  const id = deriveModelId(owner.address, modelRoot(card.commitments), cardHash(card))
  if ((await fetchModel(owner.connection, id)) === undefined) {
    if (!publish) return undefined
    await publishCard(owner, card)
  }
  if (network.dispatcherUrl !== null) await fetchJson(`${network.dispatcherUrl}/v1/models`, { body: { id, card }, signal })
  return { id, card, source }
}
