namespace vit {}
