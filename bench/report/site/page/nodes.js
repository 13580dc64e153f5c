'use strict';
// The charts of hidden nodes: a heading, what to know, and a panel per arm or group of arms. Names are data and labels in them.
const nodeCharts = (told, colour, config) => {
  const SHAPES = ['circle', 'triangle-up', 'square', 'diamond', 'cross', 'triangle-down'], WIDTHS = [3.4, 2.9, 2.4, 1.9, 1.5, 1.1], CROSS = 'M-.5,-.5L.5,.5M.5,-.5L-.5,.5';
  const number = (field, title, format) => ({field, type: 'quantitative', title, format});
  const axis = (field, title, domain, more = {}) => ({field, type: 'quantitative', title, scale: {domain, nice: false, zero: false}, ...more});
  const panel = (title, layer) => ({title, spec: {width: 'container', height: 190, autosize: {type: 'fit-x', contains: 'padding'}, layer, config}});

  function looks(arms) {
    const names = arms.map(([name]) => name), legend = {title: null, orient: 'bottom', columns: 1, labelLimit: 200, symbolOpacity: 1};
    return {
      color: {field: 'm', type: 'nominal', legend, scale: {domain: names, range: arms.map(([, tone]) => colour(tone))}},
      shape: {field: 'm', type: 'nominal', legend, scale: {domain: names, range: SHAPES.slice(0, names.length)}},
      width: {field: 'w', type: 'quantitative', scale: null}, // of equal lines the first are the widest
    };
  }

  function lshape({recovered, most, top, arms}) {
    return arms.map(([name, , kept, pruned]) => {
      const [left] = [...kept, ...pruned].reduce((a, b) => (b[0] < a[0] ? b : a), [0]);
      const x = axis('x', 'best correlation', [left - .04, 1.04]), y = axis('y', 'fan-out norm', [-.05 * top, 1.1 * top]);
      const marks = (dots, mark) => ({data: {values: dots.map(([x, y, n]) => ({x, y, n, s: 10 * Math.min(n, most)}))}, mark: {type: 'point', ...mark},
        encoding: {x, y, size: {field: 's', type: 'quantitative', scale: null}, tooltip: [number('x', 'best correlation', '.2f'), number('y', 'fan-out norm', '.3g'), number('n', 'nodes')]}});
      const total = dots => dots.reduce((sum, [, , n]) => sum + n, 0).toLocaleString('en');
      return panel(`${name}: ${pruned.length ? `${total(kept)} kept, ${total(pruned)} pruned` : `${total(kept)} nodes`}`, [
        {data: {values: [{x: recovered}]}, mark: {type: 'rule', strokeDash: [2, 3], color: colour('dense')}, encoding: {x}},
        marks(pruned, {shape: CROSS, stroke: colour('c0'), strokeWidth: 1.4}),
        marks(kept, {filled: true, color: colour('c1'), opacity: .55}),
      ]);
    });
  }

  function recovery({groups}) {
    return groups.map(([title, arms]) => {
      const rows = arms.flatMap(([m, , ...both], arm) => both.flatMap((shares, end) => shares.map((v, place) => ({m, w: WIDTHS[arm], end, x: place + 1, v}))));
      const last = Math.max(2, ...rows.map(row => row.x)), {color, shape, width} = looks(arms);
      const x = axis('x', 'teacher node, the strongest first', [.7, last + .3], {axis: {tickMinStep: 1, format: 'd'}}), y = axis('v', 'share of seeds', [-.04, 1.04]);
      const tooltip = [{field: 'm', type: 'nominal', title: 'arm'}, number('x', 'teacher node'), number('v', 'share of seeds', '.2f')];
      return panel(title, [
        {data: {values: rows}, mark: {type: 'line'}, encoding: {x, y, color, strokeWidth: width, strokeDash: {field: 'end', type: 'nominal', legend: null, scale: {domain: [0, 1], range: [[2, 3], [1, 0]]}}}},
        {data: {values: rows.filter(row => row.end)}, mark: {type: 'point', filled: true, size: 36, opacity: 1}, encoding: {x, y, color, shape, tooltip}},
      ]);
    });
  }

  function training({unit, groups}) {
    return groups.flatMap(([title, arms, metrics]) => metrics.map(([metric, lines]) => {
      const rows = lines.flatMap((points, place) => points.map(([x, v, lo, hi]) => ({m: arms[place][0], w: WIDTHS[place], x, v, lo, hi})));
      const {color, shape, width} = looks(arms), x = axis('x', unit, [0, Math.max(1, ...rows.map(row => row.x))], {axis: {tickCount: 5, format: '~s'}}), y = axis('v', metric, [-.04, 1.04]);
      const tooltip = [{field: 'm', type: 'nominal', title: 'arm'}, number('x', unit, ','), number('v', metric, '.3g'), number('lo', 'low', '.3g'), number('hi', 'high', '.3g')];
      return panel(`${metric}, ${title}`, [
        {data: {values: rows.filter(row => row.lo !== null)}, mark: {type: 'area', opacity: .13, clip: true}, encoding: {x, y: {...y, field: 'lo'}, y2: {field: 'hi'}, color}},
        {data: {values: rows}, mark: {type: 'line'}, encoding: {x, y, color, strokeWidth: width}},
        {data: {values: rows}, mark: {type: 'point', filled: true, size: 36, opacity: 1}, encoding: {x, y, color, shape, tooltip}},
      ]);
    }));
  }

  function ranks({chance, arms}) {
    const most = Math.max(chance, ...arms.flatMap(([, , shares]) => shares));
    return arms.map(([name, tone, shares]) => {
      const y = axis('v', 'share of teacher nodes', [0, 1.05 * most]);
      const rows = shares.map((v, place) => ({x: place / shares.length, x2: (place + 1) / shares.length, v}));
      return panel(name, [
        {data: {values: rows}, mark: {type: 'bar', color: colour(tone), opacity: .8, binSpacing: 1}, encoding: {x: {...axis('x', 'initial rank', [0, 1]), bin: {binned: true}}, x2: {field: 'x2'}, y, tooltip: [number('x', 'from', '.1f'), number('x2', 'to', '.1f'), number('v', 'share', '.3g')]}},
        {data: {values: [{v: chance}]}, mark: {type: 'rule', strokeDash: [5, 4], color: colour('others')}, encoding: {y}},
      ]);
    });
  }

  return [
    ['What student nodes follow', told.lshape, lshape],
    ['Which teacher nodes are recovered', told.recovery, recovery],
    ['How nodes are found over training', told.training, training],
    ['How the best students began', told.ranks, ranks],
  ].map(([title, part, make]) => ({title, about: part.about, panels: make(part)}));
};
