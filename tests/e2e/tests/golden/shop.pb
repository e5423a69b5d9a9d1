
È

shop.protoshop.v1"0

GetRequest
id (	Rid
note (	Rnote"*
Cart
id (	Rid
note (	Rnote2l
Carts>
Get.shop.v1.GetRequest.shop.v1.Cart"Ç”‰ì/carts/{id}#
Put.shop.v1.Cart.shop.v1.Cartbproto3