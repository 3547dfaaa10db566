/** The rules, each with its state. */
import type { JSX } from 'preact';
import { Icon } from '../../../ui/icons.tsx';
import { checks } from './store.ts';

/** One line of rules. */
export function Checks(): JSX.Element {
  return (
    <ul class="checks" aria-label="Rules, checked at every step">
      {checks.value.map(({ name, broken, detail }) => (
        <li key={name} class={broken === '' ? '' : 'broken'} title={broken || detail}>
          <Icon name={broken === '' ? 'check' : 'cross'} />
          <span>
            {name}
            {broken !== '' && `: ${broken}`}
          </span>{' '}
          <span class="soft mono check-detail">{broken === '' ? detail : ''}</span>
        </li>
      ))}
    </ul>
  );
}
