import type { Curve } from "./growth.ts";

const WIDTH = 760;
const HEIGHT = 380;
const LEFT = 70;
const RIGHT = 250;
const TOP = 30;
const BOTTOM = 50;
/** Told apart by people who see few colours, too, and on dark pages. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/** Draws how often a second each call gets done, over the number of organizations; both logarithmic. */
export function drawGrowth(curves: readonly Curve[], title: string): string {
  const points = curves.flatMap((curve) => curve.points);
  const x = scaleOf(points.map(({ organizations }) => organizations), LEFT, WIDTH - RIGHT);
  const y = scaleOf(points.map(({ rates }) => rates.subject), HEIGHT - BOTTOM, TOP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `font-family="sans-serif" font-size="12" fill="#666">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...gridOf(x, y),
    ...curves.flatMap((curve, at) => drawCurve(curve, x, y, at)),
    ...nameCurves(curves, x, y),
    `<text x="${LEFT}" y="18">a second</text>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">` +
    `organizations in the tables</text>`,
    "</svg>",
    "",
  ].join("\n");
}

interface Scale {
  readonly powers: readonly number[];
  at(value: number): number;
}

/** Whole powers of ten around the values, spread over the space from one end to the other. */
function scaleOf(values: readonly number[], from: number, to: number): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    powers: Array.from({ length: high - low + 1 }, (_, n) => 10 ** (low + n)),
    at: (value) => from + (to - from) * (Math.log10(value) - low) / (high - low),
  };
}

function gridOf(x: Scale, y: Scale): string[] {
  const label = (value: number) => value.toLocaleString("en-GB");
  return [
    ...y.powers.map((value) =>
      `<path d="M${LEFT} ${round(y.at(value))}H${WIDTH - RIGHT}" stroke="#ddd"/>` +
      `<text x="${LEFT - 8}" y="${round(y.at(value) + 4)}" text-anchor="end">${label(value)}</text>`
    ),
    ...x.powers.map((value) =>
      `<text x="${round(x.at(value))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">` +
      `${label(value)}</text>`
    ),
  ];
}

function drawCurve({ points }: Curve, x: Scale, y: Scale, at: number): string[] {
  const colour = COLOURS[at % COLOURS.length];
  const places = points.map(({ organizations, rates }) => ({
    x: round(x.at(organizations)),
    y: round(y.at(rates.subject)),
  }));
  return [
    `<path d="M${places.map((place) => `${place.x} ${place.y}`).join("L")}" fill="none" ` +
    `stroke="${colour}" stroke-width="2"/>`,
    ...places.map((place) => `<circle cx="${place.x}" cy="${place.y}" r="3" fill="${colour}"/>`),
  ];
}

/** The names stand beside the ends of the curves, the upper one first, with room for each. */
function nameCurves(curves: readonly Curve[], x: Scale, y: Scale): string[] {
  let lowest = 0;
  return curves
    .map(({ what, points }, at) => ({ what, at, end: points.at(-1) }))
    .flatMap(({ end, ...name }) => end === undefined ? [] : [{ ...name, end }])
    .sort((one, other) => other.end.rates.subject - one.end.rates.subject)
    .map(({ what, at, end }) => {
      lowest = Math.max(y.at(end.rates.subject) + 4, lowest + 15);
      return `<text x="${round(x.at(end.organizations) + 10)}" y="${round(lowest)}" ` +
        `fill="${COLOURS[at % COLOURS.length]}">${what}</text>`;
    });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
