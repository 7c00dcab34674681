// How far shared words carry: for each of twenty tasks one request that shares words with its card, and one that shares none.
import type { Metrics } from '../../../tools/bench.ts'
import { embedLexically } from '../src/index.ts'

const tasks: readonly (readonly [card: string, shared: string, paraphrase: string])[] = [
  ['translates German legal contracts into English', 'translate a German contract', 'render statutes from Berlin readable abroad'],
  ['classifies photographs of cats and dogs', 'classify a photograph of a dog', 'tell which pet this picture shows'],
  ['writes short poems in iambic verse', 'write a short poem', 'compose some lyrical lines'],
  ['summarises long scientific papers', 'summarise a scientific paper', 'give me the gist of this study'],
  ['detects fraud in card payments', 'detect payment fraud', 'spot stolen money transfers'],
  ['transcribes spoken audio into text', 'transcribe audio', 'turn speech recordings to writing'],
  ['recommends films from viewing history', 'recommend a film', 'suggest what movie I might enjoy'],
  ['predicts electricity demand per hour', 'predict electricity demand', 'forecast power consumption'],
  ['answers questions about tax law', 'question about tax law', 'how much do I owe the state'],
  ['finds bugs in Rust source code', 'find a bug in Rust code', 'why does my program crash'],
  ['reads handwritten digits', 'read a handwritten digit', 'recognise numbers written by pen'],
  ['diagnoses skin lesions from images', 'diagnose a skin lesion', 'is this mole dangerous'],
  ['generates unit tests for Python functions', 'generate unit tests in Python', 'check my script automatically'],
  ['estimates house prices by district', 'estimate a house price', 'what is my home worth'],
  ['corrects grammar in Spanish essays', 'correct Spanish grammar', 'polish my castellano homework'],
  ['segments satellite images of forests', 'segment a satellite image', 'where are the trees from space'],
  ['plans delivery routes for trucks', 'plan a delivery route', 'shortest tour for my vans'],
  ['moderates toxic comments in forums', 'moderate toxic comments', 'remove insults from a discussion'],
  ['composes piano music in the style of Chopin', 'compose piano music', 'make a romantic keyboard melody'],
  ['matches job applicants to positions', 'match a job applicant', 'which candidate fits the vacancy'],
]

/** How often the right card is first among twenty; chance is 0.05. */
export function benchLexical(report: (line: string) => void): Metrics {
  const cards = tasks.map(([card]) => embedLexically(card, 384))
  const recall = (texts: readonly string[]): number => {
    const hits = texts.filter((text, index) => {
      const query = embedLexically(text, 384)
      const scores = cards.map((card) => card.reduce((sum, value, j) => sum + value * (query[j] ?? 0), 0))
      return scores.indexOf(Math.max(...scores)) === index
    })
    return hits.length / texts.length
  }
  const shared = recall(tasks.map(([, text]) => text))
  const paraphrase = recall(tasks.map(([, , text]) => text))
  report(`lexical embedder, right card first of 20: ${shared} with shared words, ${paraphrase} on paraphrases (chance 0.05)`)
  return { 'lexical.shared_words_recall1': shared, 'lexical.paraphrase_recall1': paraphrase }
}
