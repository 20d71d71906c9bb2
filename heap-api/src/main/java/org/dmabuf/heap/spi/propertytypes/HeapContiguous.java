// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether a buffer of any size is one physical run. The component property {@code heap.contiguous}, see {@link
 * org.dmabuf.heap.HeapProperties#CONTIGUOUS}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapContiguous {
    /** {@return the value of {@code heap.contiguous}} */
    boolean value() default true;
}
