import { noScope, type Prekey, type Signed, signDocument } from '@tacit/protocol'
import { generatePrekey, type PrekeySecret, prekeyId } from '@tacit/session'
import type { WorkerServices } from './services.ts'

/** Prekeys live this long; a new one is drawn at half of it, and the old one is erased when it expires. */
const lifetimeSeconds = 12 * 3600

type HeldPrekey = { readonly id: string; readonly signed: Signed<Prekey>; readonly secret: PrekeySecret }

/** The worker's short-lived KEM keys: in memory only, so that a stolen disk opens no session. */
export class Prekeys {
  readonly #services: Pick<WorkerServices, 'domain' | 'signer' | 'random' | 'now'>
  #held: readonly HeldPrekey[] = []

  constructor(services: Pick<WorkerServices, 'domain' | 'signer' | 'random' | 'now'>) {
    this.#services = services
  }

  /** The prekey to hand out now. */
  async current(): Promise<Signed<Prekey>> {
    const now = this.#services.now()
    this.#eraseExpired(now)
    const newest = this.#held.at(-1)
    if (newest !== undefined && newest.signed.document.notAfter - now > lifetimeSeconds / 2) return newest.signed
    const drawn = await this.#draw(now)
    this.#held = [...this.#held, drawn]
    return drawn.signed
  }

  /** The secret of a prekey that is still valid. */
  secret(id: string): PrekeySecret | undefined {
    this.#eraseExpired(this.#services.now())
    return this.#held.find((held) => held.id === id)?.secret
  }

  erase(): void {
    for (const { secret } of this.#held) secret.erase()
    this.#held = []
  }

  async #draw(now: number): Promise<HeldPrekey> {
    const { domain, signer, random } = this.#services
    // Valid from a minute ago: clients whose clock is a little slow can use it at once.
    const { record, secret } = await generatePrekey({
      worker: signer.address,
      notBefore: now - 60,
      notAfter: now + lifetimeSeconds,
      random,
    })
    const document: Prekey = {
      type: 'tacit-prekey/1',
      worker: signer.address,
      suite: record.suite,
      publicKey: record.publicKey,
      notBefore: record.notBefore,
      notAfter: record.notAfter,
    }
    return { id: prekeyId(record), signed: signDocument('Prekey', document, noScope, domain, signer), secret }
  }

  #eraseExpired(now: number): void {
    for (const { signed, secret } of this.#held) if (signed.document.notAfter <= now) secret.erase()
    this.#held = this.#held.filter(({ signed }) => signed.document.notAfter > now)
  }
}
