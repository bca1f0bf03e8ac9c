// Upstream's blank slide, as its versions since 0.9.3 make it (recorded).

const corners = [
  { x: 0, y: 0 },
  { x: 1280, y: 0 },
  { x: 1280, y: 720 },
  { x: 0, y: 720 },
]

export const blankSlide = {
  layout: '__blank_slide__',
  layout_group: 'blank',
  content: {},
  html_content: null,
  speaker_note: '',
  properties: null,
  ui: {
    id: '__blank_slide__',
    description: 'Empty slide.',
    background: '#FFFFFF',
    components: [],
    elements: [
      {
        type: 'vector',
        shape: 'polygon',
        points: corners,
        closed: true,
        fill: { color: '#FFFFFF' },
        decorative: true,
      },
    ],
  },
} as const
