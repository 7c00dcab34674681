// The cards that a dispatcher shows: those it was started with, and those that model owners hand in. A card is taken only when
// the registry holds its hash and its commitments, so handing one in needs no permission and gives no power.
import { type ChainConnection, fetchModel } from '@tacit/chain'
import { cardHash, type ModelCard, type ModelId, modelRoot } from '@tacit/protocol'

export type ShelvedCard = { readonly id: ModelId; readonly card: ModelCard }

/** Clients read the whole list, 4 MiB at most. */
const maxShelfBytes = 2 << 20

export type CardShelf = {
  readonly list: () => readonly ShelvedCard[]
  /** Why the card was not taken, or undefined when it was. */
  readonly add: (entry: ShelvedCard) => Promise<'unknown-model' | 'other-commitments' | 'full' | undefined>
}

export function createCardShelf(chain: ChainConnection, first: readonly ShelvedCard[]): CardShelf {
  const cards = new Map(first.map((entry) => [entry.id, entry]))
  let sizeBytes = 0
  return {
    list: () => [...cards.values()],
    add: async (entry) => {
      if (cards.has(entry.id)) return undefined
      const published = await fetchModel(chain, entry.id)
      if (published === undefined || published.status !== 'active') return 'unknown-model'
      if (published.manifestHash !== cardHash(entry.card) || published.commitmentsRoot !== modelRoot(entry.card.commitments))
        return 'other-commitments'
      const cardBytes = JSON.stringify(entry).length
      if (sizeBytes + cardBytes > maxShelfBytes) return 'full'
      if (!cards.has(entry.id)) sizeBytes += cardBytes
      cards.set(entry.id, entry)
      return undefined
    },
  }
}
