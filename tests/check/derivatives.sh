# grad(e, x): derivatives.nn has some beside what they are by hand; the gradients of losses of derivatives, those of
# derivatives.models, are compared with central differences in __float128.
. "$ROOT/tests/lib.sh"
"$NNC" test "$ROOT/tests/check/derivatives.nn" >result || { cat result; exit 1; }
write_models "$ROOT/tests/check/derivatives.models"
(gradients 1 models/*.nn) >result || { cat result; exit 1; }
tail -n 1 result
