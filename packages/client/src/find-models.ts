// Which models there are: names and cards from the dispatcher, every card checked against the registry.
import { type ChainConnection, fetchModel, fetchModelIds } from '@tacit/chain'
import { fetchJson } from '@tacit/network'
import { cardHash, list, type ModelCard, type ModelId, modelCardSchema, modelId, modelRoot, object, type Schema } from '@tacit/protocol'

/** A model that can be ordered. `card` is null when nobody showed a card that fits the registry. */
export type ListedModel = {
  readonly id: ModelId
  readonly card: ModelCard | null
  readonly stepPriceWei: bigint
}

type Shown = { readonly id: ModelId; readonly card: ModelCard }
const shownSchema: Schema<readonly Shown[]> = list((value, path) => shown({ ...(value as object), cardHash: undefined }, path), 10_000)
const shown = (value: object, path: string): Shown => {
  const { cardHash: _, ...rest } = value as { cardHash?: unknown }
  return object<Shown>({ id: modelId, card: modelCardSchema })(rest, path)
}

/** The active models of the registry. */
export async function findModels(
  chain: ChainConnection,
  dispatcherUrl: string | null,
  signal?: AbortSignal,
): Promise<readonly ListedModel[]> {
  const options = signal === undefined ? {} : { signal }
  const [ids, cards] = await Promise.all([
    fetchModelIds(chain),
    dispatcherUrl === null
      ? []
      : fetchJson(`${dispatcherUrl}/v1/models`, { ...options, maxBytes: 4 << 20 }).then(
          (json) => shownSchema(json, 'models'),
          () => [],
        ),
  ])
  const listed = await Promise.all(
    ids.map(async (id): Promise<ListedModel | undefined> => {
      const published = await fetchModel(chain, id)
      if (published === undefined || published.status !== 'active') return undefined
      const card = cards.find((entry) => entry.id === id)?.card
      const fits =
        card !== undefined && cardHash(card) === published.manifestHash && modelRoot(card.commitments) === published.commitmentsRoot
      return { id, card: fits ? card : null, stepPriceWei: published.pricePerStepWei }
    }),
  )
  return listed.filter((entry) => entry !== undefined)
}
