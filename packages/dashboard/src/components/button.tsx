import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.js';

interface ButtonProps {
  readonly icon?: IconName;
  readonly kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  readonly onClick?: (event: MouseEvent) => void;
  readonly type?: 'button' | 'submit';
  readonly isDisabled?: boolean;
  readonly isPressed?: boolean;
  readonly testId?: string;
  readonly children: ComponentChildren;
}

export function Button({
  icon,
  kind = 'plain',
  onClick,
  type = 'button',
  isDisabled,
  isPressed,
  testId,
  children,
}: ButtonProps) {
  return (
    <button
      type={type}
      class={`button button-${kind}`}
      onClick={onClick}
      disabled={isDisabled}
      aria-pressed={isPressed}
      data-testid={testId}
    >
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}

interface IconButtonProps {
  readonly icon: IconName;
  /** What it does, in words. */
  readonly label: string;
  readonly onClick: (event: MouseEvent) => void;
  readonly isDisabled?: boolean;
  readonly isPressed?: boolean;
  readonly isExpanded?: boolean;
  readonly kind?: 'danger';
}

/** A button that shows only a picture. */
export function IconButton({ icon, label, onClick, isDisabled, isPressed, isExpanded, kind }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${kind ? `icon-button-${kind}` : ''}`}
      aria-label={label}
      title={label}
      onClick={onClick}
      disabled={isDisabled}
      aria-pressed={isPressed}
      aria-expanded={isExpanded}
    >
      <Icon name={icon} />
    </button>
  );
}
