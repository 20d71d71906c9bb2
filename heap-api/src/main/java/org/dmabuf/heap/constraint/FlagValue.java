// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

/** Property that a heap must have. */
final class FlagValue extends ConstraintValue {
    private static final long serialVersionUID = 1L;

    private final boolean required;

    private FlagValue(ConstraintKind kind, boolean required) {
        super(kind);
        this.required = required;
    }

    static FlagValue read(ConstraintKind kind, String text) {
        if (!text.equals("true") && !text.equals(ANY)) {
            throw new IllegalArgumentException();
        }
        return new FlagValue(kind, text.equals("true"));
    }

    @Override
    ConstraintValue and(ConstraintValue other) {
        return required ? this : other;
    }

    @Override
    boolean metBy(HeapFacts facts, long size) {
        return facts.flag(kind().fact());
    }

    @Override
    public boolean isAny() {
        return !required;
    }

    @Override
    String text() {
        return required ? "true" : ANY;
    }
}
