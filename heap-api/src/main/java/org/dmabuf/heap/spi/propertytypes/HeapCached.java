// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether CPU accesses go through the caches. The component property {@code heap.cached}, see {@link
 * org.dmabuf.heap.HeapProperties#CACHED}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapCached {
    /** {@return the value of {@code heap.cached}} */
    boolean value() default true;
}
