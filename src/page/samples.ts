// Summaries for a first try.

export interface Sample {
  name: string
  text: string
}

export const samples: readonly Sample[] = [
  {
    name: 'A cooler town',
    text: `A cooler Marlow Quay: what we talked through

Last summer the harbour streets had nineteen days above 32 °C, and the surgery counted 140 heat calls. The council asked for a plan that is cheap, quick and fair.

Shade comes first. Forty sails over the school yard and the market cost 76,000 euros and can hang by June. Volunteers of the sailing club sew and rig them.

Trees are slower and last longer. The plan plants 260 of them in six winters, hornbeam and field maple, each with a neighbour who waters it for three summers.

Roofs are the quiet part. A white coating took 4.5 degrees off the top floor of the library. Landlords get half of the cost back if they coat before June.

Three cool rooms open whenever 32 °C is forecast: the library, the parish hall and the old ice house. The postal workers knock where nobody answers the phone.

All of this costs 1.4 million euros over six years. The climate fund pays 60 percent if the application arrives before the end of April.

The council should name a coordinator by the first of March and send the application by the twentieth of April.`,
  },
  {
    name: 'Tea without borders',
    text: `Tea without borders 🍵 茶 · شاي · Tee

Neighbours planned a street festival about tea. Each wrote down a part of it in their own language, and nothing may be lost on the way.

日本語：中村さんは、抹茶の点て方を三十分で教えます。茶碗は二十個あり、お湯は八十度がちょうどよいそうです。

العربية: ستحضّر ليلى الشاي بالنعناع على الطريقة المغربية، وتصبّه من ارتفاع نصف متر حتى تتكوّن الرغوة. يكفي كل إبريق ثمانية أشخاص.

Deutsch: Familie Größmann bringt ostfriesischen Tee mit Kluntje und Sahne; umgerührt wird nicht, sonst gibt es Ärger. Die Gebühr für die Straßensperrung beträgt 85 €.

Together that is nine kinds of tea, 620 cups and a budget of 1,340 €, of which 900 € are promised. The street should say yes to the date and find four people who wash up afterwards 🫧.`,
  },
]
