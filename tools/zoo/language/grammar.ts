// The training text: short tales, plain facts and small talk, drawn from a grammar that was written for this model.
// Nothing is taken from anywhere, so the text is under the licence of this repository.
import { pick, type Random } from './random.ts'

/** One turn of a document; `text` has no speaker. */
export type Turn = { readonly role: 'text' | 'system' | 'user' | 'assistant'; readonly text: string }

/** One training document: a conversation or a piece of prose. */
export type Document = readonly Turn[]

const animals = [
  'fox',
  'cat',
  'dog',
  'owl',
  'bear',
  'duck',
  'mouse',
  'frog',
  'horse',
  'bee',
  'goat',
  'hen',
  'snail',
  'wolf',
  'crow',
] as const
const qualities = [
  'small',
  'old',
  'young',
  'clever',
  'quiet',
  'brave',
  'hungry',
  'happy',
  'tired',
  'kind',
  'shy',
  'proud',
  'naïve',
] as const
const places = [
  'in a wood',
  'by a river',
  'on a hill',
  'near the sea',
  'behind a mill',
  'under a bridge',
  'in a garden',
  'next to a café',
] as const
const times = ['morning', 'evening', 'day', 'night', 'summer', 'winter', 'afternoon'] as const
const finds = [
  'a red apple',
  'a silver key',
  'a warm stone',
  'a lost letter',
  'a blue feather',
  'a broken clock',
  'a jar of honey',
  'a small bell',
] as const
const habits = [
  'walked along the path',
  'sat and counted the clouds',
  'looked for something to eat',
  'sang a song',
  'slept in the sun',
] as const
const acts = ['shared it', 'took it home', 'hid it under a tree', 'gave it back', 'kept it safe', 'carried it to the village'] as const
const moods = ['happy', 'glad', 'calm', 'proud', 'surprised', 'at peace', 'no longer afraid', 'a little wiser'] as const
const names = ['Anna', 'Zoë', 'José', 'Mira', 'Tom', 'Ida', 'Noah', 'Jürgen'] as const
const morals = [
  'What is shared is never lost.',
  'A kind word costs nothing.',
  'Those who listen hear more.',
  'Slow steps also reach the hill.',
  'A friend is worth more than a find.',
  'It is good to check before you trust.',
] as const

const colours: Readonly<Record<string, string>> = {
  sky: 'blue',
  grass: 'green',
  snow: 'white',
  coal: 'black',
  blood: 'red',
  sun: 'yellow',
  sea: 'blue',
  fire: 'orange',
}
const sounds: Readonly<Record<string, string>> = {
  cat: 'meow',
  dog: 'woof',
  duck: 'quack',
  owl: 'hoo',
  bee: 'buzz',
  frog: 'croak',
  crow: 'caw',
  horse: 'neigh',
}
const numbers = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'] as const
const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const
const greetings = ['Hello', 'Hello!', 'Hi', 'Hi!', 'Good morning', 'Good evening', 'Hey', 'hello', 'hi'] as const

const aboutItself = [
  'I am a very small language model. I learned from made-up tales, so please do not believe me.',
  'I am a tiny network of numbers. I tell little tales and I know almost nothing.',
  'I am only a small model that babbles. I am not an assistant.',
] as const

/** A tale about an animal. */
export function tale(random: Random, animal: string): string {
  const other = pick(
    random,
    animals.filter((name) => name !== animal),
  )
  const find = pick(random, finds)
  const sentences = [
    `Once there was ${withArticle(pick(random, qualities))} ${animal} who lived ${pick(random, places)}.`,
    ...some(random, `Every ${pick(random, times)} the ${animal} ${pick(random, habits)}.`),
    `One ${pick(random, times)} the ${animal} ${pick(random, ['found', 'saw', 'came upon'])} ${find}.`,
    ...some(
      random,
      pick(random, [
        `Then ${withArticle(pick(random, qualities))} ${other} came by. “Is it yours?” asked the ${other}. “It is ours,” said the ${animal}.`,
        `The ${other} asked: “What do you have there?” “I have ${find},” said the ${animal}.`,
        `“Look, ${find}!” said the ${animal} to the ${other}.`,
      ]),
    ),
    `The ${animal} ${pick(random, acts)} and was ${pick(random, moods)}.`,
    ...some(random, pick(random, morals)),
  ]
  return sentences.join(' ')
}

/** One document. */
export function drawDocument(random: Random): Document {
  const kind = random()
  if (kind < 0.3) return [{ role: 'text', text: tale(random, pick(random, animals)) }]
  if (kind < 0.4) return [{ role: 'text', text: letter(random) }]
  const turns: Turn[] = random() < 0.2 ? [{ role: 'system', text: instructions(random) }] : []
  const exchanges = random() < 0.75 ? 1 : 2
  for (let i = 0; i < exchanges; i++) turns.push(...exchange(random))
  return turns
}

function exchange(random: Random): readonly Turn[] {
  const [question, answer] = pick(random, exchanges)(random)
  return [
    { role: 'user', text: question },
    { role: 'assistant', text: answer },
  ]
}

type Exchange = (random: Random) => readonly [question: string, answer: string]

const taleExchange: Exchange = (random) => {
  const animal = pick(random, animals)
  const question = pick(random, [
    `Tell me a story about ${withArticle(animal)}.`,
    `Tell me a tale about ${withArticle(animal)}.`,
    `A story about ${withArticle(animal)}, please.`,
    `Can you tell me about the ${animal}?`,
    `${animal}`,
  ])
  return [question, tale(random, animal)]
}

const openTaleExchange: Exchange = (random) => [
  pick(random, ['Tell me a story.', 'Tell me something.', 'A story, please.', 'Say something.', 'Write a short tale.', 'Go on.']),
  tale(random, pick(random, animals)),
]

const colourExchange: Exchange = (random) => {
  const [thing, colour] = pick(random, Object.entries(colours))
  return [
    pick(random, [`What colour is the ${thing}?`, `What color is the ${thing}?`, `Which colour has the ${thing}?`]),
    `The ${thing} is ${colour}.`,
  ]
}

const soundExchange: Exchange = (random) => {
  const [animal, sound] = pick(random, Object.entries(sounds))
  return [pick(random, [`What does the ${animal} say?`, `What does ${withArticle(animal)} say?`]), `The ${animal} says ${sound}.`]
}

const numberExchange: Exchange = (random) => {
  const at = Math.floor(random() * (numbers.length - 1))
  const answer = numbers[at + 1] ?? ''
  return [
    pick(random, [`What comes after ${numbers[at]}?`, `Which number comes after ${numbers[at]}?`]),
    `After ${numbers[at]} comes ${answer}.`,
  ]
}

const weekdayExchange: Exchange = (random) => {
  const at = Math.floor(random() * weekdays.length)
  return [
    pick(random, [`What day comes after ${weekdays[at]}?`, `Which day follows ${weekdays[at]}?`]),
    `After ${weekdays[at]} comes ${weekdays[(at + 1) % weekdays.length]}.`,
  ]
}

const countExchange: Exchange = (random) => {
  const to = 3 + Math.floor(random() * (numbers.length - 3))
  return [pick(random, [`Count to ${numbers[to]}.`, `Please count to ${numbers[to]}.`]), `${numbers.slice(0, to + 1).join(', ')}.`]
}

const greetingExchange: Exchange = (random) => [
  pick(random, greetings),
  pick(random, [
    'Hello! I am a small model that tells little tales.',
    'Hi! Ask me for a story about an animal.',
    'Hello! Do you want to hear a tale?',
  ]),
]

const selfExchange: Exchange = (random) => [
  pick(random, ['Who are you?', 'What are you?', 'Are you an assistant?', 'Can I trust you?', 'What can you do?', 'Are you real?']),
  pick(random, aboutItself),
]

const thanksExchange: Exchange = (random) => [
  pick(random, ['Thank you.', 'Thanks!', 'That was nice.', 'Goodbye', 'Bye!']),
  pick(random, ['You are welcome.', 'It was a pleasure.', 'Goodbye, and sleep well.']),
]

/** Whatever people may write: words that are none, so that the model learns to tell a tale all the same. */
const nonsenseExchange: Exchange = (random) => [nonsense(random, 1 + Math.floor(random() * 25)), tale(random, pick(random, animals))]

const exchanges: readonly Exchange[] = [
  taleExchange,
  taleExchange,
  openTaleExchange,
  nonsenseExchange,
  nonsenseExchange,
  colourExchange,
  soundExchange,
  numberExchange,
  weekdayExchange,
  countExchange,
  greetingExchange,
  selfExchange,
  thanksExchange,
]

/** Mostly one sentence, sometimes pages: what stands there must not disturb the answer. */
function instructions(random: Random): string {
  const count = random() < 0.7 ? 1 : 2 + Math.floor(random() * 20)
  return Array.from({ length: count }, () =>
    random() < 0.5
      ? pick(random, [
          'You are a helpful assistant.',
          'Answer briefly.',
          'Be kind.',
          'Today is a fine day.',
          'Never lie.',
          'Use plain words.',
        ])
      : nonsense(random, 4 + Math.floor(random() * 12)),
  ).join(' ')
}

function nonsense(random: Random, words: number): string {
  const syllables = [
    'an',
    'be',
    'con',
    'de',
    'er',
    'for',
    'in',
    'ka',
    'lo',
    'mo',
    'ne',
    'ti',
    'pro',
    'qua',
    'ra',
    'st',
    'the',
    'um',
    'ver',
    'wi',
    'x',
    'y',
  ] as const
  const word = (): string => Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(random, syllables)).join('')
  const text = Array.from({ length: words }, word).join(' ')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${pick(random, ['', '.', '?', '!'])}`
}

function letter(random: Random): string {
  const animal = pick(random, animals)
  return [
    `Dear ${pick(random, names)},`,
    `today I saw ${withArticle(pick(random, qualities))} ${animal} ${pick(random, places)}. It ${pick(random, habits)}.`,
    pick(random, ['The weather was fine ☀ and nobody was in a hurry.', 'It rained all day, but we were warm.', 'I thought of you.']),
    pick(random, ['Yours,', 'Be well,', 'Until soon,']),
    pick(random, names),
  ].join('\n')
}

function withArticle(word: string): string {
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`
}

function some(random: Random, sentence: string): readonly string[] {
  return random() < 0.6 ? [sentence] : []
}
