// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Declarations of kinds of demand that the heap's own properties answer. The component property
 * {@code heap.constraint.kinds}, see {@link org.dmabuf.heap.HeapProperties#CONSTRAINT_KINDS}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapConstraintKinds {
    /** {@return the value of {@code heap.constraint.kinds}} */
    String[] value();
}
